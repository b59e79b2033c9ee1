"""The Typer application, for all that `llmcli.cli.parser` does not read itself.

That is help, every command but `ask`, unusual spellings of options, and wrong arguments.

The docstring of a command is its help text. A line with `\\b` in it keeps the line ends of the
paragraph below.
"""

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from llmcli import __version__
from llmcli.api.trace import Trace
from llmcli.chat.call import Call
from llmcli.chat.presenter import Output
from llmcli.cli.command_table import COMMANDS
from llmcli.cli.parser import assembled
from llmcli.cli.usage_errors import usage_error
from llmcli.config.options import Argument, AskOptions, Option, OutputOptions
from llmcli.system.dataclass import fields
from llmcli.system.environment import Environment
from llmcli.system.stdio import print_line


class Invocation(NamedTuple):
    """What a command finds as the `obj` of Typer's context.

    `alone` is True for a prompt that is a single word beside nothing else, not even `ask`.
    """

    environment: Environment
    alone: bool


class Commands(TyperGroup):
    """A group of commands that loads the module of a command only when that command runs.

    Until then a function without a body stands for each command, with the name and the help line
    of COMMANDS.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that `args` begin with, the command, and the rest."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name else command, rest


def _typer() -> typer.Typer:
    return typer.Typer(
        name="llmcli",
        cls=Commands,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def load_command(name: str) -> Any:
    """Import the module of the command `name` and return its command for Typer.

    A group of subcommands is the module's `app`; any other command is its function `name`.
    """
    module, alone = import_module(f"llmcli.cli.commands.{name}"), _typer()
    if hasattr(module, "app"):
        alone.add_typer(module.app, name=name)
    else:
        function = getattr(module, name)
        kind = get_type_hints(function).get("options")
        alone.command(name)(spread(function, kind) if kind else function)
    # With a callback Typer makes a group even of a single command.
    alone.callback()(llmcli)
    return typer.main.get_group(alone).commands[name]


def _print_version(*, wanted: bool) -> None:
    if wanted:
        print_line(f"llmcli {__version__}")
        raise typer.Exit()


def llmcli(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Get completions from language models, for one-liners, pipes, cron jobs and scripts.

    The answer goes to stdout, everything about it to stderr, and the exit code says how it ended.

    \b
    Examples:
      llmcli "Name three uses of a brick"
      git log --oneline | llmcli "What changed?"
      llmcli ask --json hi | jq -r '.choices[0].message.content'
      llmcli config check

    `llmcli "words with a space"` and `... | llmcli` mean `llmcli ask`; a single word that stands
    alone needs it, as it could be a mistyped command. See `llmcli ask --help`.
    """


def _not_loaded() -> None:
    """Stand for a command whose module is not loaded; `Commands` replaces it before it runs."""


def app() -> typer.Typer:
    """Return the application with all commands, of which none is loaded yet."""
    whole = _typer()
    whole.callback()(llmcli)
    for name, about in COMMANDS.items():
        whole.command(name, help=about)(_not_loaded)
    return whole


def run_typer(arguments: Sequence[str], environment: Environment, *, alone: bool) -> int:
    """Run the command line and return its exit code.

    `alone` is that of Invocation. Raises UsageError for arguments that are wrong, any other
    LlmcliError where the run fails, and Interrupted or ReaderGone where a signal must end the
    process.
    """
    invocation = Invocation(environment, alone)
    try:
        code = app()(arguments, prog_name="llmcli", standalone_mode=False, obj=invocation)
    except TyperException as error:
        if arguments[0] == "ask":
            environment.renderer = environment.renderer or _renderer(environment, arguments)
        raise usage_error(error, arguments) from None
    return code if isinstance(code, int) else 0


def _renderer(environment: Environment, arguments: Sequence[str]) -> Output:
    """Return what reports a failure in the form that `arguments` ask for.

    They could not be parsed, so --json and --events are looked for by name only.
    """
    output = OutputOptions(
        json="--json" in arguments, events="--json" not in arguments and "--events" in arguments
    )
    return Output(environment, AskOptions(output=output), Call(Trace()))


def spread(command: Callable[..., Any], kind: type[Any]) -> Callable[..., Any]:
    """Return `command(environment, options, words)` as a function that Typer can call.

    Typer reads the options of a command from the parameters of its function. So each option of
    `kind`, a dataclass of groups of options, becomes a parameter of its own. The environment comes
    from Typer's context.
    """
    words = get_type_hints(command, include_extras=True)["words"]
    options = [field for group in fields(kind) for field in fields(group.type)]

    def spread_out(context: Any, words: Any, **values: Any) -> Any:
        invocation: Invocation = context.obj
        alone = {"alone": invocation.alone} if command.__name__ == "ask" else {}
        return command(invocation.environment, assembled(kind, values), words, **alone)

    parameters = [
        _parameter("context", typer.Context, inspect.Parameter.empty),
        *(_parameter(option.name, option.type, option.default) for option in options),
        _parameter("words", words, None),
    ]
    spread_out.__doc__, spread_out.__name__ = command.__doc__, command.__name__
    spread_out.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread_out.__annotations__ = {p.name: p.annotation for p in parameters}
    return spread_out


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    """Return a parameter annotated `kind`, with our Option or Argument replaced by Typer's."""
    definition = getattr(kind, "__metadata__", (None,))[0]
    if isinstance(definition, Option):
        make = typer.Argument if isinstance(definition, Argument) else typer.Option
        kind = Annotated[kind.__origin__, make(*definition.names, **definition.about)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)

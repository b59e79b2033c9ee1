"""The Typer app: the commands, and the one place where a failure becomes an exit code."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from . import __version__
from .call import Call
from .commands.ask import ask
from .commands.config import app as config_app
from .commands.local import app as local_app
from .commands.models import models
from .commands.session import app as session_app
from .commands.template import app as template_app
from .commands.usage import usage
from .dataclass import dataclass
from .environment import (
    STDERR,
    CheckedStdout,
    Environment,
    arguments,
    die_by_signal,
    last_words,
    leave,
    print_line,
)
from .errors import (
    InternalError,
    Interrupted,
    LlmcliError,
    OutOfResources,
    ReaderGone,
    UsageError,
)
from .options import OutputOptions
from .output.choose import Output
from .trace import Trace

app = typer.Typer(
    name="llmcli",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ask")(ask)
app.add_typer(config_app, name="config")
app.add_typer(local_app, name="local")
app.command("models")(models)
app.command("usage")(usage)
app.add_typer(session_app, name="session")
app.add_typer(template_app, name="template")

COMMANDS = ("ask", "models", "usage", "config", "local", "session", "template")


@dataclass(frozen=True)
class Run:
    """What commands find in `context.obj`. `implicit`: the user did not write `ask`."""

    environment: Environment
    implicit: bool
    commands: tuple[str, ...] = COMMANDS


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"llmcli {__version__}")
        raise typer.Exit()


@app.callback()
def llmcli(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Completions from language models, for one-liners, pipes, cron jobs and scripts.

    The answer goes to stdout, everything about it to stderr, and the exit code says how it ended.

    \b
    Examples:
      llmcli "Name three uses of a brick"
      git log --oneline | llmcli "What changed?"
      llmcli ask --json hi | jq -r '.choices[0].message.content'
      llmcli config check

    `llmcli "words with a space"` and `... | llmcli` mean `llmcli ask`; a single word needs it, as
    it could be a mistyped command. See `llmcli ask --help`.
    """


def with_default_command(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """`ask` put in front where it was left out, and whether it was."""
    first = arguments[0] if arguments else ""
    if first == "help" and (len(arguments) == 1 or arguments[1] in COMMANDS):
        return [*arguments[1:], "--help"], False
    if first in COMMANDS or first in ("--help", "-h", "--version"):
        return list(arguments), False
    near = get_close_matches(first, COMMANDS, 1, cutoff=0.75)
    if near and len(arguments) > 1:
        raise UsageError(
            f"no such command: {first}",
            hint=f"did you mean `llmcli {near[0]}`? To ask the model, `llmcli ask {first} …`",
        )
    return ["ask", *arguments], True


def run(arguments: Sequence[str], environment: Environment) -> int:
    """The exit code. Raises what ends the process by a signal, and LlmcliError."""
    arguments, implicit = with_default_command(arguments)
    try:
        code = app(
            arguments,
            prog_name="llmcli",
            standalone_mode=False,
            obj=Run(environment, implicit),
        )
    except TyperException as error:
        if arguments[0] == "ask":
            environment.renderer = environment.renderer or _failure_as_json(environment, arguments)
        raise _usage_error(error, arguments) from None
    return code if isinstance(code, int) else 0


def _failure_as_json(environment: Environment, arguments: Sequence[str]) -> Output:
    """Arguments that cannot be parsed still say in which form the failure is wanted."""
    options = OutputOptions(
        json="--json" in arguments, events="--json" not in arguments and "--events" in arguments
    )
    return Output(environment, options, Call(Trace()))


def _usage_error(error: TyperException, arguments: Sequence[str]) -> UsageError:
    message = error.format_message().replace("\n", " ").rstrip(".?").replace(". Did", "; did")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else f"llmcli {arguments[0]}"
    return UsageError(message[:1].lower() + message[1:], hint=f"see {command} --help")


def _guarded(arguments: Sequence[str], environment: Environment) -> int:
    """`run`, with whatever it raises as one of ours."""
    try:
        return run(arguments, environment)
    except LlmcliError:
        raise
    except MemoryError:
        raise OutOfResources("out of memory") from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise OutOfResources(f"the system: {error.strerror}") from None
        raise _defect(error, environment) from error
    except Exception as error:
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            raise OutOfResources("cannot start a thread") from None
        raise _defect(error, environment) from error


def _defect(error: Exception, environment: Environment) -> InternalError:
    if os.environ.get("LLMCLI_DEBUG") == "1":
        import traceback

        shown = environment.redact(traceback.format_exc())
        os.write(STDERR, shown.encode(errors="replace"))
    hint = "please report it with the traceback that LLMCLI_DEBUG=1 prints"
    what = f"{type(error).__name__} in llmcli {__version__}"
    return InternalError(f"internal error: {what}", hint=hint)


def main() -> NoReturn:
    """The console script."""
    environment = Environment.of_process()
    sys.stdout = CheckedStdout()
    os.environ.pop("_LLMCLI_COMPLETE", None)  # Typer's own completion, which we do not have
    try:
        leave(_guarded(arguments(sys.argv[1:]), environment))
    except ReaderGone:
        _end(environment, Interrupted(signal.SIGPIPE))
    except (LlmcliError, Interrupted) as error:
        _end(environment, error)


def _known_to_all(error: LlmcliError | Interrupted, environment: Environment) -> bool:
    """Who closes the pipe, or presses ^C in a pipeline, knows why it ended."""
    if not isinstance(error, Interrupted):
        return False
    at_keyboard = error.signal_number == signal.SIGINT and not environment.is_terminal(STDERR)
    return at_keyboard or error.signal_number == signal.SIGPIPE


def _end(environment: Environment, error: LlmcliError | Interrupted) -> NoReturn:
    """Tell of the failure, in the form that was asked for and as one line; then end by it."""

    def end() -> NoReturn:
        if isinstance(error, Interrupted):
            die_by_signal(error.signal_number)
        leave(error.exit_code)

    last_words(end, 0 if isinstance(error, Interrupted) else environment.remaining())
    if environment.renderer:
        try:
            environment.renderer.fail(error)
        except (ReaderGone, LlmcliError):
            pass  # nobody can be told there any more
        except Exception as defect:
            environment.say(str(_defect(defect, environment)))
    if not _known_to_all(error, environment):
        environment.say(str(error))
    end()


if __name__ == "__main__":
    main()

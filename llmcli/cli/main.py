"""The commands, and the one place where a failure becomes an exit code."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from llmcli.cli import parser
from llmcli.cli.command_table import COMMANDS
from llmcli.config.options import AskOptions
from llmcli.errors import Interrupted, LlmcliError, OutOfResources, ReaderGone, UsageError
from llmcli.system.environment import Environment
from llmcli.system.short_ways import is_on
from llmcli.system.signals import die_by_signal, leave, limit_cleanup
from llmcli.system.stdio import STDERR, CheckedStdout, arguments
from llmcli.system.suggestions import near_names


def with_default_command(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """`ask` put in front where it was left out, and whether it was."""
    first = arguments[0] if arguments else ""
    if first == "help" and (len(arguments) == 1 or arguments[1] in COMMANDS):
        return [*arguments[1:], "--help"], False
    if first in COMMANDS or first in ("--help", "-h", "--version"):
        return list(arguments), False
    # What begins with a dash is an option of `ask`, however much it looks like a command.
    if len(arguments) > 1 and not first.startswith("-") and (near := _near(first)):
        raise UsageError(
            f"no such command: {first}",
            hint=f"did you mean `llmcli {near}`? To ask the model, `llmcli ask {first} …`",
        )
    return ["ask", *arguments], True


def _near(word: str) -> str:
    """The command that is mistyped by `word`, if one is."""
    return "".join(near_names(word, COMMANDS, likeness=0.75))


def run_command(arguments: Sequence[str], environment: Environment) -> int:
    """The exit code. Raises what ends the process by a signal, and LlmcliError."""
    arguments, implicit = with_default_command(arguments)
    if arguments[0] == "ask":
        from llmcli.cli.commands.ask import ask

        plain = parser.parse_arguments(arguments[1:], AskOptions) if is_on("command-line") else None
        if plain is not None:
            return ask(environment, *plain, implicit=implicit)
    from llmcli.cli import app  # Typer, which a plain command line does not need

    return app.run_typer(arguments, environment, implicit)


def _guarded(arguments: Sequence[str], environment: Environment) -> int:
    """`run`, with whatever it raises as one of ours."""
    try:
        return run_command(arguments, environment)
    except LlmcliError:
        raise
    except MemoryError:
        raise OutOfResources("out of memory") from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise OutOfResources(f"the system: {error.strerror}") from None
        raise environment.defect(error) from error
    except Exception as error:
        if isinstance(error.__cause__, Interrupted):  # RuntimeError, where a class was being made
            raise error.__cause__ from None
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            raise OutOfResources("cannot start a thread") from None
        raise environment.defect(error) from error


def run_process() -> NoReturn:
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

    limit_cleanup(end, 0 if isinstance(error, Interrupted) else environment.remaining())
    if environment.renderer:
        try:
            environment.renderer.fail(error)
        except (ReaderGone, LlmcliError):
            pass  # nobody can be told there any more
        except Exception as failure:
            environment.say(str(environment.defect(failure)))
    if not _known_to_all(error, environment):
        environment.say(str(error))
    end()


if __name__ == "__main__":
    run_process()

"""From the arguments to a command, and from a failure to an exit code.

This is the only place where an exception becomes the end of the process.
"""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from llmcli.cli import parser
from llmcli.cli.first_word import with_command
from llmcli.config.options import AskOptions
from llmcli.errors import Interrupted, LlmcliError, OutOfResources, ReaderGone
from llmcli.system.environment import Environment
from llmcli.system.short_ways import is_on
from llmcli.system.signals import die_by_signal, leave, limit_cleanup
from llmcli.system.stdio import STDERR, CheckedStdout, arguments


def run_command(arguments: Sequence[str], environment: Environment) -> int:
    """Run the command that `arguments` name and return its exit code.

    Raises LlmcliError where the run fails, Interrupted or ReaderGone where a signal must end the
    process.
    """
    arguments, alone = with_command(arguments)
    if arguments[0] == "ask":
        from llmcli.cli.commands.ask import ask  # noqa: PLC0415  # other commands do without it

        plain = parser.parse_arguments(arguments[1:], AskOptions) if is_on("command-line") else None
        if plain is not None:
            return ask(environment, *plain, alone=alone)
    from llmcli.cli import app  # noqa: PLC0415  # brings Typer, which a plain `ask` does without

    return app.run_typer(arguments, environment, alone=alone)


def _guarded(arguments: Sequence[str], environment: Environment) -> int:
    """Run as `run_command` does, but raise every foreign exception as an LlmcliError."""
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
        # Until Python 3.12 an exception inside `__set_name__`, while a class is being created,
        # is wrapped in a RuntimeError. A signal can arrive at that moment as well.
        if isinstance(error.__cause__, Interrupted):
            raise error.__cause__ from None
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            raise OutOfResources("cannot start a thread") from None
        raise environment.defect(error) from error


def run_process() -> NoReturn:
    """Run the command that the arguments of this process name, and end the process.

    It ends with the exit code of the command, with that of the LlmcliError which it raised, or by
    the signal that interrupted it.
    """
    environment = Environment.of_process()
    sys.stdout = CheckedStdout()
    # Typer would answer this variable with a completion of its own. We ship static scripts.
    os.environ.pop("_LLMCLI_COMPLETE", None)
    try:
        leave(_guarded(arguments(sys.argv[1:]), environment))
    except ReaderGone:
        _end_process(environment, Interrupted(signal.SIGPIPE))
    except (LlmcliError, Interrupted) as error:
        _end_process(environment, error)


def _needs_no_message(error: LlmcliError | Interrupted, environment: Environment) -> bool:
    """Return True for an end whose reason the user knows.

    It is the user who closes a pipe (`| head -1`), or who presses ^C. On a terminal the message
    about ^C is shown nevertheless, as it can say how much was kept.
    """
    if not isinstance(error, Interrupted):
        return False
    at_keyboard = error.signal_number == signal.SIGINT and not environment.is_terminal(STDERR)
    return at_keyboard or error.signal_number == signal.SIGPIPE


def _end_process(environment: Environment, error: LlmcliError | Interrupted) -> NoReturn:
    """Report the failure and end the process by its exit code or signal.

    The report goes to the renderer of the run (--json, --events), and to stderr as one line.
    """

    def end() -> NoReturn:
        if isinstance(error, Interrupted):
            die_by_signal(error.signal_number)
        leave(error.exit_code)

    # From here on a timer ends the process, lest a reader that does not read keeps it for ever.
    limit_cleanup(end, 0 if isinstance(error, Interrupted) else environment.remaining())
    if environment.renderer:
        try:
            environment.renderer.fail(error)
        except (ReaderGone, LlmcliError):
            pass  # stdout cannot be written to; stderr still gets the message below
        except Exception as failure:  # noqa: BLE001  # the first failure must still be reported
            environment.say(str(environment.defect(failure)))
    if not _needs_no_message(error, environment):
        environment.say(str(error))
    end()


if __name__ == "__main__":
    run_process()

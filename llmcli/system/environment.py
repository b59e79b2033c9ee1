"""The outside world of one run: streams, variables, paths, signals. Built once and handed in."""

import io
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

from llmcli import __version__
from llmcli.errors import (
    InternalError,
    Interrupted,
    LlmcliError,
    ReaderGone,
    WriteError,
    deadline_reached,
)
from llmcli.system.text import one_line

STDIN, STDOUT, STDERR = 0, 1, 2
_SHORTEST_SECRET = 8
# Seconds to clean up after a signal or the deadline.
_GRACE = 0.15
# Seconds until a signal that came at a bad time comes again.
_A_MOMENT = 0.01


class Failing(Protocol):
    """What can still tell the caller of a failure in its own format."""

    def fail(self, error: "LlmcliError | Interrupted") -> None: ...


class Environment:
    """`stage` says what is still missing, for the message of a deadline."""

    def __init__(self, variables: Mapping[str, str], closed: frozenset[int] = frozenset()) -> None:
        self.variables = variables
        self.closed = closed
        self.started = time.monotonic()
        self.stage = "nothing was sent yet"
        self.deadline: float | None = None
        self.quiet = False
        self.renderer: Failing | None = None
        self.secrets: set[str] = set()
        self._said: set[str] = set()

    @classmethod
    def of_process(cls) -> "Environment":
        environment = cls(os.environ, plug_closed_descriptors())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A signal ignored by the parent (nohup, a background job) stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _interrupt)
        return environment

    def at(self, stage: str) -> None:
        self.stage = stage

    def is_terminal(self, descriptor: int) -> bool:
        return descriptor not in self.closed and os.isatty(descriptor)

    def say(self, line: str) -> None:
        """Write one line to stderr. A stderr that is closed or full costs nobody the answer."""
        try:
            text = one_line(self.redact(line))
            os.write(STDERR, f"llmcli: {text}\n".encode(errors="replace"))
        except OSError:
            pass

    def say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def redact(self, text: str) -> str:
        """`text` without the secrets of this run, which a server may echo."""
        for secret in self.secrets:
            if len(secret) >= _SHORTEST_SECRET:  # a made-up key for a test server is a word
                text = text.replace(secret, "[redacted]")
        return text

    def defect(self, error: Exception) -> InternalError:
        """What nobody foresaw, as one of ours. Called where `error` is being handled."""
        if self.variables.get("LLMCLI_DEBUG") == "1":
            import traceback

            shown = self.redact(traceback.format_exc())
            os.write(STDERR, shown.encode(errors="replace"))
        hint = "please report it with the traceback that LLMCLI_DEBUG=1 prints"
        what = f"{type(error).__name__} in llmcli {__version__}"
        return InternalError(f"internal error: {what}", hint=hint)

    def note(self, line: str) -> None:
        """`say`, but silent with -q."""
        if not self.quiet:
            self.say(line)

    def start_deadline(self, seconds: float) -> None:
        """End the whole run with TimedOut after `seconds`, whatever it waits for (0: never).

        A timer signal reaches the main thread in a blocked read or write as well; what cannot
        be interrupted (name resolution) runs in a thread of its own.
        """
        if seconds <= 0:
            return

        def expire(_number: int, frame: FrameType | None) -> None:
            if not _is_importing(frame):
                raise deadline_reached(seconds, self.stage)
            signal.setitimer(signal.ITIMER_REAL, _A_MOMENT)

        spent = time.monotonic() - self.started
        self.deadline = self.started + seconds
        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, max(seconds - spent, 0.001))

    def remaining(self) -> float:
        """Seconds until the deadline; infinite without one."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    @property
    def home(self) -> Path:
        home = self.variables.get("HOME") or os.path.expanduser("~")
        # Without a home, "~" would be read in the working directory.
        return Path(home if os.path.isabs(home) else "/nonexistent")

    def _directory(self, variable: str, default: str) -> Path:
        # A relative path is to be ignored: XDG Base Directory Specification.
        value = self.variables.get(variable, "")
        base = Path(value) if os.path.isabs(value) else self.home / default
        return base / "llmcli"

    @property
    def config_file(self) -> Path:
        if named := self.variables.get("LLMCLI_CONFIG"):
            return Path(named)
        return self._directory("XDG_CONFIG_HOME", ".config") / "config.toml"

    @property
    def data_directory(self) -> Path:
        return self._directory("XDG_DATA_HOME", ".local/share")

    @property
    def state_directory(self) -> Path:
        return self._directory("XDG_STATE_HOME", ".local/state")

    @property
    def templates_directory(self) -> Path:
        return self._directory("XDG_CONFIG_HOME", ".config") / "templates"

    @property
    def cache_directory(self) -> Path:
        return self._directory("XDG_CACHE_HOME", ".cache")


def plug_closed_descriptors() -> frozenset[int]:
    """Open /dev/null on descriptors 0 to 2 that are closed, lest the next socket becomes one.

    stdout is plugged for reading only, so that writing still fails with EBADF.
    """
    closed = set()
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            os.open(os.devnull, os.O_WRONLY if descriptor == STDERR else os.O_RDONLY)
    return frozenset(closed)


class CheckedStdout(io.TextIOBase):
    """What libraries print, such as help, with the checks of `write_all`."""

    encoding = "utf-8"
    errors = "replace"

    def write(self, text: str) -> int:
        write_all(STDOUT, text.encode(errors="replace"))
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(STDOUT)


def arguments(argv: Sequence[str]) -> list[str]:
    """Arguments are UTF-8 whatever the locale; other bytes stand as lone surrogates."""
    return [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in argv]


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of `data` to `descriptor`. Raises WriteError, or ReaderGone on EPIPE."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            # Another program has set our stdout to non-blocking: wait as a blocking write would.
            select.select([], [descriptor], [])
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise WriteError(f"write error: {error.strerror}") from error


def print_line(line: str) -> None:
    """A line of a command's own output on stdout. Raises as `write_all`."""
    write_all(STDOUT, f"{line}\n".encode(errors="replace"))


def _interrupt(number: int, frame: FrameType | None) -> Any:
    if _is_importing(frame):
        threading.Timer(_A_MOMENT, os.kill, (os.getpid(), number)).start()
    else:
        raise Interrupted(number)


def _is_importing(frame: FrameType | None) -> bool:
    """The import system swallows what is raised in its callbacks: a moment later, then."""
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals and the deadline wait until this is over. Other threads than the main one they never
    disturb."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {n: signal.getsignal(n) for n in numbers if callable(signal.getsignal(n))}
    for one in before:
        signal.signal(one, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in came:
            signal.raise_signal(number)


def last_words(end: Callable[[], NoReturn], seconds: float) -> None:
    """From here on the run only cleans up and says why it ends; `end()` cuts that short after
    `seconds`, lest a reader that does not read keeps it for ever. A second signal ends at once."""
    signal.signal(signal.SIGALRM, lambda _number, _frame: end())
    if seconds != float("inf"):
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _GRACE))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def die_by_signal(number: int) -> NoReturn:
    """End by the signal itself, so that a shell loop sees a death by signal and stops."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # only reached where the signal is blocked


def leave(code: int) -> NoReturn:
    """End without the interpreter's own clean-up, which can hang on threads and costs 25 ms.

    Nothing is lost: everything is written by os.write.
    """
    os._exit(code)

"""The outside world of one run: its variables, directories, stderr, signals and deadline.

An Environment is built once, at the start, and handed to whatever needs it.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

from llmcli import __version__
from llmcli.errors import (
    InternalError,
    Interrupted,
    LlmcliError,
    deadline_reached,
)
from llmcli.system.secrets import redact
from llmcli.system.signals import RETRY_DELAY, interrupt, is_importing
from llmcli.system.stdio import STDERR, ends_open_line, plug_closed_descriptors
from llmcli.system.text import one_line
from llmcli.system.waits import Wait

# Not even root can create a file there; messages show the name.
_NO_HOME = "/dev/null/no-home"


def _home_of_account() -> str:
    import pwd  # noqa: PLC0415  # for a process without HOME only

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container with a user of its own number
        return _NO_HOME


class FailureReporter(Protocol):
    """An object that writes a failure in the output format of the run, such as JSON."""

    def fail(self, error: "LlmcliError | Interrupted") -> None:
        """Write `error`, and whatever of the answer has come, to the output."""


class Environment:
    """The outside world of one run, and what the whole run has to know of its own state.

    `variables` are the environment variables, `closed` the standard descriptors that were closed
    at the start. `started` is a time of time.monotonic(), and so is `deadline`, once it is set.
    `stage` says what has not happened yet, for the message of a deadline. `quiet` is the option
    -q. `renderer`, once there is one, reports the failure of the run to the caller. `secrets` are
    the keys and header values that no output may contain.
    """

    def __init__(self, variables: Mapping[str, str], closed: frozenset[int] = frozenset()) -> None:
        self.variables = variables
        self.closed = closed
        self.started = time.monotonic()
        self.stage = "nothing was sent yet"
        self.deadline: float | None = None
        self.quiet = False
        self.renderer: FailureReporter | None = None
        self.secrets: set[str] = set()
        self._said: set[str] = set()

    @classmethod
    def of_process(cls) -> "Environment":
        """Return the environment of this process, and install its handlers of signals.

        SIGINT, SIGTERM and SIGHUP raise Interrupted from now on.
        """
        environment = cls(os.environ, plug_closed_descriptors())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A signal ignored by the parent (nohup, a background job) stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, interrupt)
        return environment

    def set_stage(self, stage: str) -> None:
        """Say what the run waits for now, in words for the message of a deadline."""
        self.stage = stage

    @contextmanager
    def waiting_for(self, awaited: str, state: str = "has not ended") -> Iterator[Wait]:
        """Say, for the message of a deadline, that `awaited` is waited for, until the block ends.

        `state` is what is missing of it. The Wait tells the user, unless with -q, if it is long.
        """
        before, self.stage = self.stage, f"{awaited} {state}"
        try:
            yield Wait(awaited, self.note)
        finally:
            self.stage = before

    def is_terminal(self, descriptor: int) -> bool:
        """Return whether `descriptor` (0, 1 or 2) was open at the start and is a terminal."""
        return descriptor not in self.closed and os.isatty(descriptor)

    def say(self, line: str) -> None:
        """Write `line` to stderr as one line, without secrets and without control characters.

        A newline goes first if stdout is the same file, and the text there does not end in one.

        A failure to write it is ignored: the answer must not be lost because stderr is closed or
        its disk is full.
        """
        try:
            text = one_line(self.redact(line))
            begin = "\n" if ends_open_line(STDERR) else ""
            os.write(STDERR, f"{begin}llmcli: {text}\n".encode(errors="replace"))
        except OSError:
            pass

    def say_once(self, line: str) -> None:
        """Write `line` to stderr, unless this run has done so before."""
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def redact(self, text: str) -> str:
        """Return `text` with `[redacted]` in the place of each secret of this run."""
        return redact(text, self.secrets)

    def defect(self, error: Exception) -> InternalError:
        """Return the InternalError for `error`, an exception that nobody foresaw.

        With LLMCLI_DEBUG=1 it also writes the traceback to stderr, so it must be called while
        `error` is being handled.
        """
        if self.variables.get("LLMCLI_DEBUG") == "1":
            import traceback  # noqa: PLC0415  # loaded only to debug a defect

            stack = self.redact(traceback.format_exc())
            os.write(STDERR, stack.encode(errors="replace"))
        hint = "please report it with the traceback that LLMCLI_DEBUG=1 prints"
        what = f"{type(error).__name__} in llmcli {__version__}"
        return InternalError(f"internal error: {what}", hint=hint)

    def note(self, line: str) -> None:
        """Write `line` to stderr as `say` does, but not with the option -q."""
        if not self.quiet:
            self.say(line)

    def start_deadline(self, seconds: float) -> None:
        """Raise TimedOut in the main thread once the run has taken `seconds` from its start.

        0 sets no deadline. A timer signal (SIGALRM) raises the error, as a signal also reaches a
        main thread that is blocked in a read or a write. It does not interrupt name resolution,
        which therefore runs in a thread of its own.
        """
        if seconds <= 0:
            return

        def expire(_number: int, frame: FrameType | None) -> None:
            if not is_importing(frame):
                raise deadline_reached(seconds, self.stage)
            signal.setitimer(signal.ITIMER_REAL, RETRY_DELAY)

        elapsed = time.monotonic() - self.started
        self.deadline = self.started + seconds
        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, max(seconds - elapsed, 0.001))  # 0 would disarm it

    def remaining(self) -> float:
        """Return the seconds until the deadline, negative beyond it; infinite without one."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    @property
    def home(self) -> Path:
        """Return the home directory; a path below which there can be no file if the user has none.

        A home that does not exist is none, as root could create it. Neither is /nonexistent: it is
        the home of accounts without one (Debian Policy Manual, section 9.2.3).
        """
        home = self.variables.get("HOME") or _home_of_account()
        # A relative path would lead into the working directory, whose files must never be read as
        # configuration.
        is_home = os.path.isabs(home) and home.rstrip("/") != "/nonexistent" and os.path.isdir(home)
        return Path(home if is_home else _NO_HOME)

    @staticmethod
    def is_nowhere(path: Path) -> bool:
        """Return whether `path` is below the home directory that the user does not have."""
        return Path(_NO_HOME) in path.parents

    def _directory(self, variable: str, default: str) -> Path:
        # The XDG Base Directory Specification says to ignore a relative path.
        value = self.variables.get(variable, "")
        base = Path(value) if os.path.isabs(value) else self.home / default
        return base / "llmcli"

    @property
    def config_file(self) -> Path:
        """Return the path of config.toml, which LLMCLI_CONFIG may name; it may not exist."""
        if named := self.variables.get("LLMCLI_CONFIG"):
            return Path(named)
        return self._directory("XDG_CONFIG_HOME", ".config") / "config.toml"

    @property
    def data_directory(self) -> Path:
        """Return the directory of the weights of the embedded model; it may not exist."""
        return self._directory("XDG_DATA_HOME", ".local/share")

    @property
    def state_directory(self) -> Path:
        """Return the directory of the sessions and the ledger; it may not exist."""
        return self._directory("XDG_STATE_HOME", ".local/state")

    @property
    def templates_directory(self) -> Path:
        """Return the directory of the user's templates; it may not exist."""
        return self._directory("XDG_CONFIG_HOME", ".config") / "templates"

    @property
    def cache_directory(self) -> Path:
        """Return the directory of what can be fetched or made again; it may not exist."""
        return self._directory("XDG_CACHE_HOME", ".cache")

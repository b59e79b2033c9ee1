"""The outside world of one run: streams, variables, paths, signals. Built once and handed in."""

import os
import signal
import time
from collections.abc import Mapping
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
from llmcli.system.signals import A_MOMENT, interrupt, is_importing
from llmcli.system.stdio import STDERR, plug_closed_descriptors
from llmcli.system.text import one_line

_SHORTEST_SECRET = 8


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
                signal.signal(number, interrupt)
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
            if not is_importing(frame):
                raise deadline_reached(seconds, self.stage)
            signal.setitimer(signal.ITIMER_REAL, A_MOMENT)

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

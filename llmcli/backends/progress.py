"""How far an exchange has come, and how long each step of it may take.

The timeouts of requests bound neither name resolution nor headers or comments that trickle in.
Python's audit events tell which step has begun, in whatever thread it runs.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ..dataclass import dataclass, field
from ..errors import TimedOut

# A server may keep a connection alive by comments for this many idle timeouts without an event.
_PATIENCE = 10

_DNS, _CONNECT, _SENT = "no answer from DNS for", "no connection to", "no answer from"
_STEPS = {"socket.getaddrinfo": _DNS, "socket.connect": _CONNECT, "http.client.send": _SENT}


@dataclass
class Progress:
    """`tell` gets each step as words for a message. Times are in seconds."""

    target: str
    connect_timeout: float
    idle_timeout: float
    tell: Callable[[str], None]
    step: str = _CONNECT
    since: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Watch what this thread does from now on."""
        _install()
        _current.progress = self

    def reached(self, step: str) -> None:
        if self.step != _SENT:
            self.step = step
            self.tell(f"{step} {self.target}")
            if step == _SENT:
                self.event()

    @property
    def sent(self) -> bool:
        return self.step == _SENT

    def event(self) -> None:
        """Something came that counts as life."""
        self.since = time.monotonic()

    def patience(self) -> float:
        """Seconds that may still pass. Raises TimedOut."""
        connecting = self.step != _SENT
        limit = self.connect_timeout if connecting else self.idle_timeout * _PATIENCE
        left = self.since + limit - time.monotonic()
        if left > 0:
            return left
        if connecting:
            message = f"{self.step} {self.target} for {limit:g} s"
            raise TimedOut(message, hint="wait longer with --connect-timeout")
        message = f"{self.target} keeps the connection open, but sent no event for {limit:g} s"
        raise TimedOut(message, hint="wait longer with --idle-timeout")


_current = threading.local()
_installed = threading.Event()


def _install() -> None:
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_hook)


def _hook(event: str, _arguments: Any) -> None:
    step = _STEPS.get(event)
    if step is not None:
        progress = getattr(_current, "progress", None)
        if progress is not None:
            progress.reached(step)

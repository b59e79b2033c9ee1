"""How far an exchange has come, and how long each step of it may take.

The timeouts of requests bound neither name resolution nor headers or comments that trickle in.
Python's audit events tell which step has begun, in whatever thread it runs.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from llmcli.errors import TimedOut
from llmcli.system.dataclass import dataclass, field

# A server may keep a connection alive by comments for this many idle timeouts without an event.
_PATIENCE = 10
_SHUT_RDWR = 2

_DNS, _CONNECT, _SENT = "no answer from DNS for", "no connection to", "no answer from"
_STEPS = {"socket.getaddrinfo": _DNS, "socket.connect": _CONNECT, "http.client.send": _SENT}


def _endless(_awaited: str) -> float:
    return float("inf")


@dataclass
class Progress:
    """`tell` gets each step as words for a message. `time_left`: seconds of a deadline, given what
    is awaited; it raises TimedOut. Times are in seconds."""

    target: str
    connect_timeout: float
    idle_timeout: float
    tell: Callable[[str], None]
    time_left: Callable[[str], float] = _endless
    step: str = _CONNECT
    since: float = field(default_factory=time.monotonic)
    # The connection was made for this exchange, rather than kept from another.
    connected: bool = False
    # An event of the answer has come.
    answered: bool = False
    _socket: Any = None
    _expired: TimedOut | None = None

    def begin(self) -> None:
        """Watch what this thread does from now on."""
        _install()
        _current.progress = self

    def end(self) -> None:
        _current.progress = None

    def reached(self, step: str, what: Any) -> None:
        """`what` the step is taken on: a socket, or a connection that has one."""
        self.check()
        if step == _CONNECT:
            self.connected = True
        if step != _DNS:
            self._socket = getattr(what, "sock", what)
        if self.step != _SENT:
            self.step = step
            self.tell(f"{step} {self.target}")
            if step == _SENT:
                self.since = time.monotonic()

    def sending(self, connection: Any) -> None:
        """What the audit events do not tell."""
        self.reached(_SENT, connection)

    @property
    def sent(self) -> bool:
        return self.step == _SENT

    def event(self) -> None:
        """Something came that counts as life."""
        self.answered = True
        self.since = time.monotonic()

    def patience(self) -> float:
        """Seconds that may still pass. Raises TimedOut."""
        connecting = self.step != _SENT
        limit = self.connect_timeout if connecting else self.idle_timeout * _PATIENCE
        left = self.since + limit - time.monotonic()
        of_deadline = self.time_left(f"{self.step} {self.target}")
        if left > 0:
            return min(left, of_deadline)
        if connecting:
            message = f"{self.step} {self.target} for {limit:g} s"
            raise TimedOut(message, hint="wait longer with --connect-timeout")
        message = f"{self.target} keeps the connection open, but sent no event for {limit:g} s"
        raise TimedOut(message, hint="wait longer with --idle-timeout")

    def expire(self, error: TimedOut) -> None:
        """End what the thread of this exchange waits for; there, `check` raises `error`."""
        self._expired = error
        try:
            self._socket.shutdown(_SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # not connected yet, or no more

    def check(self) -> None:
        if self._expired is not None:
            raise self._expired from None


_current = threading.local()
_installed = threading.Event()


def _install() -> None:
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_hook)


def _hook(event: str, arguments: Any) -> None:
    step = _STEPS.get(event)
    if step is not None:
        progress = getattr(_current, "progress", None)
        if progress is not None:
            progress.reached(step, arguments[0])

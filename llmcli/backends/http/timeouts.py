"""The steps of an exchange with an endpoint, and the time that each of them may take.

The timeouts of requests do not bound name resolution, nor headers or comments that trickle in byte
by byte. Python's audit events (PEP 578) tell which step a thread has begun.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from llmcli.errors import TimedOut
from llmcli.system.dataclass import dataclass, field

# A server may keep the connection alive with comments for this many idle timeouts without an event.
_PATIENCE = 10

# Each step is named by the words for what is awaited in it, as a message has them.
_DNS, _CONNECT, _SENT = "no answer from DNS for", "no connection to", "no answer from"
# The audit event with which each step begins.
_STEPS = {"socket.getaddrinfo": _DNS, "socket.connect": _CONNECT, "http.client.send": _SENT}


def _endless(_awaited: str) -> float:
    return float("inf")


@dataclass
class Progress:
    """How far one exchange has come, and since when.

    `target` is the endpoint's host and port, for messages. Name resolution and connecting may take
    `connect_timeout` seconds together; after that the time without an event is limited to
    `idle_timeout` seconds times _PATIENCE. `tell` is called with the words of each step.
    `time_left` is called with what is awaited; it returns the seconds until the deadline of the
    call, and raises TimedOut after it. `step` is the current step, and `since` the monotonic time
    from which its limit counts.
    """

    target: str
    connect_timeout: float
    idle_timeout: float
    tell: Callable[[str], None]
    time_left: Callable[[str], float] = _endless
    step: str = _CONNECT
    since: float = field(default_factory=time.monotonic)
    # True if a connection was made for this exchange, False if it uses a kept one.
    connected: bool = False
    # True once an event of the answer has come.
    answered: bool = False
    _socket: Any = None
    _expired: TimedOut | None = None

    def begin(self) -> None:
        """Follow the steps of the calling thread from now on."""
        _install()
        _current.progress = self

    def end(self) -> None:
        """Stop following the steps of the calling thread."""
        _current.progress = None

    def reached(self, step: str, source: Any) -> None:
        """Note that `step` has begun.

        `source` is the first argument of the audit event: a host name, a socket, or a connection of
        http.client. Raises TimedOut if the exchange has expired.
        """
        self.check()
        if step == _CONNECT:
            self.connected = True
        if step != _DNS:
            self._socket = getattr(source, "sock", source)
        # A second connection for the same request does not start the time of connecting again.
        if self.step != _SENT:
            self.step = step
            self.tell(f"{step} {self.target}")
            if step == _SENT:
                self.since = time.monotonic()

    def sending(self, connection: Any) -> None:
        """Note that a request is sent on a bare socket, for which there is no audit event."""
        self.reached(_SENT, connection)

    @property
    def sent(self) -> bool:
        """Return True once sending of the request has begun."""
        return self.step == _SENT

    def mark_alive(self) -> None:
        """Note that an event came, or that the reader of events is ready for the next."""
        self.answered = True
        self.since = time.monotonic()

    def patience(self) -> float:
        """Return the seconds that the current step may still take. Raises TimedOut if none."""
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
        """Shut down the socket, so that the thread of this exchange stops waiting for it.

        This is called in another thread. `check`, in the thread of the exchange, raises `error`.
        """
        self._expired = error
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # not connected yet, or closed already

    def check(self) -> None:
        """Raise the error that `expire` was called with, if it was."""
        if self._expired is not None:
            raise self._expired from None


# The progress of the exchange in each thread.
_current = threading.local()
_installed = threading.Event()


def _install() -> None:
    """Install the hook once; Python cannot remove it again."""
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_hook)


def _hook(event: str, arguments: Any) -> None:
    # Python calls this for every audit event, even for an import; most of them end here.
    step = _STEPS.get(event)
    if step is not None:
        progress = getattr(_current, "progress", None)
        if progress is not None:
            progress.reached(step, arguments[0])

"""The steps of an exchange with an endpoint, and the time that each of them may take.

The timeouts of requests do not bound name resolution, nor headers or comments that trickle in byte
by byte. So the connections of this room say which step they have begun, and ask before each read
how long it may take.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llmcli.errors import TimedOut
from llmcli.system.dataclass import dataclass, field

# A server may keep the connection alive with comments for this many idle timeouts without an event.
_PATIENCE = 10
# Seconds after sending in which the loss of a kept connection may mean that the server had closed
# it before the request arrived. A server that takes longer to close it has read the request.
_RACE = 1.0
_IDLE = (408, 421)

# Each step is named by the words for what is awaited in it, as a message has them.
_DNS, _CONNECT, _SENT = "no answer from DNS for", "no connection to", "no answer from"


def _endless(_awaited: str) -> float:
    return float("inf")


@dataclass
class Progress:
    """How far one exchange has come, and since when.

    `target` is the endpoint's host and port, for messages. Name resolution and connecting may take
    `connect_timeout` seconds together; after that the time without an event is limited to
    `idle_timeout` seconds times _PATIENCE. `tell` is called with the words of each step.
    `time_left` is called with what is awaited; it returns the seconds until the deadline of the
    call, and raises TimedOut after it. `watched` says that another thread looks after the times,
    and calls `expire`; `must_connect` that no kept connection may be used. `step` is the current
    step, and `since` the monotonic time from which its limit counts.
    """

    target: str
    connect_timeout: float
    idle_timeout: float
    tell: Callable[[str], None]
    time_left: Callable[[str], float] = _endless
    watched: bool = False
    must_connect: bool = False
    step: str = _CONNECT
    since: float = field(default_factory=time.monotonic)
    # True if a connection was made for this exchange, False if it uses a kept one.
    connected: bool = False
    # True once a byte of the reply has come.
    heard: bool = False
    _sent_at: float = 0.0
    _socket: Any = None
    _expired: TimedOut | None = None

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Make this the progress that `current` returns in the calling thread."""
        _current.progress = self
        try:
            yield
        finally:
            _current.progress = None

    def resolving(self) -> None:
        """Note that the host's name is being resolved. Raise TimedOut if this has expired."""
        self._enter(_DNS)

    def connecting(self) -> None:
        """Note that a connection is being made. Raise TimedOut if this has expired."""
        self.connected = True
        self._enter(_CONNECT)

    def sending(self, connection: Any) -> None:
        """Note that the request goes out on this socket. Raise TimedOut if this has expired."""
        self._socket = connection
        if not self.sent:
            self._enter(_SENT)
            self.since = self._sent_at = time.monotonic()

    def _enter(self, step: str) -> None:
        self.check()
        self.step = step
        self.tell(f"{step} {self.target}")

    @property
    def sent(self) -> bool:
        """Return True once sending of the request has begun."""
        return self.step == _SENT

    def lost_a_race(self) -> bool:
        """Return True if the loss of the connection may mean that the server never saw the request.

        A server may close a kept connection just before the request arrives.
        """
        return self._may_race() and not self.heard

    def closed_by(self, status: int) -> bool:
        """Return True if a reply of `status` may be about the kept connection, not the request.

        Some servers say 408 on an idle connection before they close it (RFC 9110, section 15.5.9),
        or 421 (section 15.5.20). That counts as a close, as browsers have it: no answer was heard.
        """
        if status not in _IDLE or not self._may_race():
            return False
        self.heard = False
        return True

    def _may_race(self) -> bool:
        soon = time.monotonic() - self._sent_at < _RACE
        return self.sent and not self.connected and soon

    def mark_alive(self) -> None:
        """Note that an event came, or that the reader of events is ready for the next."""
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

    def check_read(self) -> None:
        """Raise TimedOut if the reply must not be waited for any longer."""
        if self.watched:
            self.check()
        else:
            self.patience()

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


def current() -> Progress:
    """Return the progress of the exchange that the calling thread is engaged in."""
    progress: Progress = _current.progress
    return progress

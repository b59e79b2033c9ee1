"""The way to a connected socket: name resolution, and the first address that answers (RFC 8305).

A host may have an address that swallows every packet, such as that of a broken IPv6 route. So the
next address is tried a quarter of a second after the one before, and the first to connect wins.
"""

import os
import select
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

from llmcli.backends.http.timeouts import Progress
from llmcli.backends.http.wire import names
from llmcli.backends.thread import Patience, next_wait

# Seconds until the next address is tried (RFC 8305, section 5).
_NEXT_ADDRESS = 0.25

# The family and the socket address of one address of a host.
_Address = tuple[int, Any]


def open_socket(host: str, port: int, progress: Progress) -> socket.socket:
    """Return a socket that is connected to `host`; `progress` says how long that may take.

    Raise OSError if the name cannot be resolved or no address accepts the connection, and TimedOut
    as `progress.patience` does.
    """
    progress.resolving()
    addresses = alternating(_resolved(host, port, progress.patience))
    progress.connecting()
    connection = first_connected(addresses, progress.patience)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _resolved(host: str, port: int, patience: Patience) -> list[_Address]:
    return [(found[0], found[4]) for found in names.addresses(host, port, patience)]


def alternating(addresses: Sequence[_Address]) -> list[_Address]:
    """Return `addresses` with their families in turn, beginning with the family of the first.

    See RFC 8305, section 4: one family that does not work must not delay the other for long.
    """
    first = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    return [one for one in chain(*zip_longest(first, others)) if one is not None]


def first_connected(addresses: Sequence[_Address], patience: Patience) -> socket.socket:
    """Return a socket that is connected to whichever of `addresses` answers first.

    Raise the OSError of the last that failed if all do, and what `patience` raises.
    """
    attempts = _Attempts()
    try:
        for address in addresses:
            attempts.begin(address)
            if connected := attempts.wait(patience, _NEXT_ADDRESS):
                return connected
        if connected := attempts.wait(patience, float("inf")):
            return connected
    finally:
        attempts.close()
    raise attempts.failure or OSError("the host has no address")


class _Attempts:
    """Connections that are being made at the same time."""

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self._poll = select.poll()
        self._pending: dict[int, socket.socket] = {}

    def begin(self, address: _Address) -> None:
        """Begin to connect to `address`."""
        try:
            attempt = socket.socket(address[0], socket.SOCK_STREAM)
        except OSError as error:  # a family that this system does not have
            self.failure = error
            return
        attempt.setblocking(False)
        self._pending[attempt.fileno()] = attempt
        self._poll.register(attempt, select.POLLOUT)
        try:
            attempt.connect(address[1])
        except BlockingIOError:
            pass
        except OSError as error:  # such as an unreachable network
            self._fail(attempt.fileno(), error)

    def wait(self, patience: Patience, seconds: float) -> socket.socket | None:
        """Return the first socket that connects, in blocking mode.

        Return None if no attempt is left. Unless `seconds` is infinite, return None also after that
        time, or as soon as an attempt has failed. Raise what `patience` raises.
        """
        while self._pending:
            limit = min(seconds, next_wait(patience))
            events = self._poll.poll(max(limit, 0) * 1000)
            for descriptor, _event in events:
                if connected := self._ended(descriptor):
                    return connected
            if seconds != float("inf") and (events or limit == seconds):
                return None
            seconds -= limit
        return None

    def _ended(self, descriptor: int) -> socket.socket | None:
        """Return the socket of an attempt that has ended, if it ended well."""
        attempt = self._pending[descriptor]
        code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(descriptor, OSError(code, os.strerror(code)))
            return None
        self._poll.unregister(descriptor)
        del self._pending[descriptor]
        attempt.setblocking(True)
        return attempt

    def _fail(self, descriptor: int, error: OSError) -> None:
        self.failure = error
        self._poll.unregister(descriptor)
        self._pending.pop(descriptor).close()

    def close(self) -> None:
        """Give up all attempts that have not ended."""
        for attempt in self._pending.values():
            attempt.close()

"""Subclasses of urllib3's connections, which differ in how a request is sent and a reply is read.

A connection either takes over an early request, or sends head and body in one write. On both, a
write may take as long as waiting for the reply, and `_FinalResponse` reads the reply.
"""

import ssl
from functools import partial
from http.client import BadStatusLine, HTTPResponse, RemoteDisconnected, parse_headers
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from llmcli.backends.http.body import Check, CheckedReader, buffered
from llmcli.backends.http.early import EarlyRequest
from llmcli.backends.http.wire.framing import settle_length

# The classes below are mixed into both kinds of connection; type checkers see one of them.
if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


# How a status line begins.
_HTTP = "HTTP/1."


class _FinalResponse(HTTPResponse):
    """A reply that is read where http.client would fail or be deceived; `check` precedes each read.

    All interim replies are skipped (RFC 9110, section 15.2); http.client skips only status 100. A
    head that is cut off is an error, rather than the head of an empty reply. A chunked body is
    recognized by any valid spelling of Transfer-Encoding, rather than by `chunked` alone.
    """

    def __init__(self, check: Check, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reader = CheckedReader(self.fp.detach(), check)
        self.fp = buffered(self._reader)  # type: ignore[assignment]

    def begin(self) -> None:
        """Read the head. Raises RemoteDisconnected if it is cut off."""
        try:
            super().begin()
        except BadStatusLine as error:
            # What ends within these letters is a reply that was cut off; anything else is not HTTP.
            if not self._reader.ended or not _HTTP.startswith(str(error)[: len(_HTTP)]):
                raise
        # A whole head is read without reaching the end of the stream.
        if self._reader.ended:
            raise RemoteDisconnected("the connection was closed within the head of the reply")
        codings = ",".join(self.headers.get_all("Transfer-Encoding", ())).lower().split(",")
        if not self.chunked and "chunked" in map(str.strip, codings):
            self.chunked, self.chunk_left, self.length = True, None, None
        settle_length(self)

    def _read_status(self) -> Any:
        status = super()._read_status()  # type: ignore[misc]
        while 101 < status[1] < 200:  # 101 is final: the server switches protocols
            parse_headers(self.fp)
            status = super()._read_status()  # type: ignore[misc]
        return status


class _Patient(_Base):
    """A connection that may take `patience` seconds for each write once it is connected.

    urllib3 would apply the timeout of connecting to sending as well.
    """

    patience: float | None = None

    def connect(self) -> None:
        """Connect, and then set the timeout for writes."""
        super().connect()
        self.sock.settimeout(self.patience)

    def send(self, data: Any) -> None:
        """Send `data`. Raises BrokenPipeError if the connection is closed meanwhile.

        The server may have answered already, by TLS as well: an alert that it demands a certificate
        comes after the handshake. On BrokenPipeError, and only then, urllib3 looks for the answer.
        """
        if self.sock is None:
            self.connect()
        try:
            super().send(data)
        except (ConnectionError, ssl.SSLError) as error:
            raise BrokenPipeError() from error


class _Early(_Patient):
    """A connection that takes over the socket of an early request.

    What urllib3 sends is compared with what was sent early, and only the rest is sent.
    """

    def __init__(self, early: EarlyRequest, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._early = early
        self._sent = memoryview(b"")
        self._broken: OSError | None = None

    def connect(self) -> None:
        """Take over the socket, or connect if the early request did not reach the endpoint."""
        connection = self._early.take()
        if connection is None:
            super().connect()
            return
        self.sock = connection
        self.is_verified = True  # else urllib3 would warn of an unverified HTTPS request
        self._sent, self._broken = self._early.sent, self._early.broken

    def send(self, data: Any) -> None:
        """Send what the early request has not sent of `data`."""
        if self.sock is None:
            self.connect()
        count = min(len(data), len(self._sent))
        if self._sent[:count] != data[:count]:
            # The early request was not what requests sends, so this one needs a new connection.
            self.sock.close()
            self._sent, self._broken, count = memoryview(b""), None, 0
            super().connect()
        self._sent = self._sent[count:]
        if count < len(data):
            self._check_rest()
            super().send(data[count:])

    def _check_rest(self) -> None:
        """Raise the error that broke the early request, if any.

        A server that does not read to the end may have answered already. urllib3 looks for that
        answer on BrokenPipeError only, so every error but a timeout is raised as that.
        """
        broken = self._broken
        if broken is not None:
            raise broken if isinstance(broken, TimeoutError) else BrokenPipeError() from broken


class _OneWrite(_Patient):
    """A connection that sends head and body of a small request in one write, and one packet."""

    _held: list[bytes] | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request; its head and a small body go out together."""
        self._held = []
        try:
            super().request(*arguments, **options)
            self._send_held()
        finally:
            self._held = None

    def send(self, data: Any) -> None:
        """Hold `data` until the request is whole, or is too large for one write."""
        if self._held is None:
            super().send(data)
            return
        self._held.append(data)
        if len(data) >= self.blocksize:
            self._send_held()

    def _send_held(self) -> None:
        held, self._held = self._held, []
        if held:
            super().send(b"".join(held))


class _HttpEarly(_Early, HTTPConnection):
    pass


class _HttpsEarly(_Early, HTTPSConnection):
    pass


class _HttpOneWrite(_OneWrite, HTTPConnection):
    pass


class _HttpsOneWrite(_OneWrite, HTTPSConnection):
    pass


_OURS = {
    HTTPConnection: (_HttpOneWrite, _HttpEarly),
    HTTPSConnection: (_HttpsOneWrite, _HttpsEarly),
}


def prepare_pool(pool: Any, early: EarlyRequest | None, check: Check, patience: float) -> None:
    """Make urllib3's `pool` create connections of this module.

    They take over `early` if it is not None. Each write may take `patience` seconds, and `check` is
    called before each read of a reply. Connections of another class, such as those through SOCKS,
    keep their own way of sending.
    """
    kind = pool.ConnectionCls
    if kind in _OURS:
        one_write, taking_over = _OURS[kind]
        kind = one_write if early is None else partial(taking_over, early)

    def make(*arguments: Any, **options: Any) -> Any:
        connection = kind(*arguments, **options)
        connection.patience = patience
        connection.response_class = partial(_FinalResponse, check)
        return connection

    pool.ConnectionCls = make

"""Connections of urllib3 that send in another way than its own, and wait for the final answer."""

from functools import partial
from http.client import BadStatusLine, HTTPResponse, RemoteDisconnected, parse_headers
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from llmcli.backends.http.body import Check, Watched, buffered
from llmcli.backends.http.early import Ahead

if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


_HTTP = "HTTP/1."


class _Final(HTTPResponse):
    """Interim answers are read over (RFC 9110, section 15.2), of which http.client knows only 100.
    A head must have its end. Chunks are known by any spelling. `check()` before each read."""

    def __init__(self, check: Check, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._watched = Watched(self.fp.detach(), check)
        self.fp = buffered(self._watched)  # type: ignore[assignment]

    def begin(self) -> None:
        try:
            super().begin()
        except BadStatusLine as error:
            if not self._watched.ended or not _HTTP.startswith(str(error)[: len(_HTTP)]):
                raise
        if self._watched.ended:  # a head that is whole is read without looking further
            raise RemoteDisconnected("the connection was closed within the head of the reply")
        codings = ",".join(self.headers.get_all("Transfer-Encoding", ())).lower().split(",")
        if not self.chunked and "chunked" in map(str.strip, codings):
            self.chunked, self.chunk_left, self.length = True, None, None

    def _read_status(self) -> Any:
        status = super()._read_status()  # type: ignore[misc]
        while 101 < status[1] < 200:
            parse_headers(self.fp)
            status = super()._read_status()  # type: ignore[misc]
        return status


class _Patient(_Base):
    """To send may take as long as to wait for the answer: it is no part of connecting."""

    patience: float | None = None

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.patience)


class _Taken(_Patient):
    """What went ahead is handed over: it connects to what is connected, and of what it is to send
    only the rest is sent."""

    def __init__(self, ahead: Ahead, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ahead = ahead
        self._sent = memoryview(b"")
        self._broken: OSError | None = None

    def connect(self) -> None:
        connection = self._ahead.take()
        if connection is None:
            super().connect()
            return
        self.sock = connection
        self.is_verified = True
        self._sent, self._broken = self._ahead.sent, self._ahead.broken

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        count = min(len(data), len(self._sent))
        if self._sent[:count] != data[:count]:
            # Not foreseen: it goes as requests has it, on a connection of its own.
            self.sock.close()
            self._sent, self._broken, count = memoryview(b""), None, 0
            super().connect()
        self._sent = self._sent[count:]
        if count < len(data):
            self._check_rest()
            super().send(data[count:])

    def _check_rest(self) -> None:
        """Who does not read to the end may have answered already: urllib3 looks, for a pipe that
        is broken."""
        broken = self._broken
        if broken is not None:
            raise broken if isinstance(broken, TimeoutError) else BrokenPipeError() from broken


class _InOne(_Patient):
    """Head and body of a small request are sent in one write."""

    _held: list[bytes] | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        self._held = []
        try:
            super().request(*arguments, **options)
            self._send_held()
        finally:
            self._held = None

    def send(self, data: Any) -> None:
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


class _HttpTaken(_Taken, HTTPConnection):
    pass


class _HttpsTaken(_Taken, HTTPSConnection):
    pass


class _HttpInOne(_InOne, HTTPConnection):
    pass


class _HttpsInOne(_InOne, HTTPSConnection):
    pass


_OURS = {HTTPConnection: (_HttpInOne, _HttpTaken), HTTPSConnection: (_HttpsInOne, _HttpsTaken)}


def use(pool: Any, ahead: Ahead | None, check: Check, patience: float) -> None:
    """Have urllib3's `pool` make such connections, which wait `patience` seconds to send on, and
    whose replies are read with a `check()` before each read; the next is that of `ahead`, if there
    is one. Connections of another kind, such as through SOCKS, send as they do."""
    kind = pool.ConnectionCls
    if kind in _OURS:
        in_one, taken = _OURS[kind]
        kind = in_one if ahead is None else partial(taken, ahead)

    def make(*arguments: Any, **options: Any) -> Any:
        connection = kind(*arguments, **options)
        connection.patience = patience
        connection.response_class = partial(_Final, check)
        return connection

    pool.ConnectionCls = make

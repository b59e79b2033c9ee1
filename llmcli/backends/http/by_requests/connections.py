"""Subclasses of urllib3's connections, which differ in how they connect, send and read.

They connect to the address that answers first, send head and body of a small request in one write,
read the reply by `Response`, and tell the progress of the current exchange each step. A write may
take as long as waiting for the reply. Of http.client's names that are not documented they lean on
`response_class` and `sock` of HTTPConnection.
"""

import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from llmcli.backends.http import timeouts
from llmcli.backends.http.reply.response import Response
from llmcli.backends.http.wire.addresses import open_socket
from llmcli.backends.thread import Put, in_thread

# The class below is mixed into both kinds of connection; type checkers see one of them.
if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class EndpointConnection(_Base):
    """What a connection with and one without TLS have in common.

    `reply` is the last reply on it. `through_socks` is True for one through a SOCKS proxy, which
    urllib3 does not name in `proxy`.
    """

    reply: Response
    through_socks = False
    _held: list[bytes] | None = None

    def connect(self) -> None:
        """Connect, and then set the timeout for writes."""
        progress = timeouts.current()
        if self.proxy is None and not self.through_socks:
            self.sock = self._secured(open_socket(self.host, self.port or 80, progress))
        else:
            self._connect_to_proxy(progress)
        self.sock.settimeout(progress.idle_timeout)

    def _secured(self, connection: Any) -> Any:
        return connection

    def _connect_to_proxy(self, progress: timeouts.Progress) -> None:
        """Connect as urllib3 does, in a thread, as nothing interrupts its name resolution."""
        progress.connecting()

        def connect(_put: Put[None]) -> None:
            with progress.followed():
                super(EndpointConnection, self).connect()

        with closing(in_thread(connect, progress.patience)) as connected:
            for _ in connected:
                pass

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
            if self.sock is None:
                self.connect()
            timeouts.current().sending(self.sock)
            try:
                super().send(b"".join(held))
            except (ConnectionError, ssl.SSLError) as error:
                # The server may have answered already, by TLS as well: an alert that it demands a
                # certificate comes after the handshake. After this error urllib3 looks for that.
                raise BrokenPipeError() from error

    def response_class(self, connection: Any, **options: Any) -> Response:  # type: ignore[override]
        """Return the reply on `connection`, the socket, before its head is read."""
        self.reply = Response(connection, timeouts.current(), **options)
        return self.reply


class _Plain(EndpointConnection, HTTPConnection):
    pass


class _Secure(EndpointConnection, HTTPSConnection):
    def _secured(self, connection: Any) -> Any:
        connection.settimeout(timeouts.current().connect_timeout)
        assert self.ssl_context is not None
        self.is_verified = True  # else urllib3 would warn of an unverified HTTPS request
        from llmcli.backends.http.wire.validity import handshake  # noqa: PLC0415  # not for http://

        return handshake(self.ssl_context, connection, self.host)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


# For the attribute `pool_classes_by_scheme` of a urllib3.PoolManager.
POOLS = {"http": _PlainPool, "https": _SecurePool}

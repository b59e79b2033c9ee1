"""A request that leaves while requests is still being loaded, which takes longer than all that
comes before it.

The bytes are those that requests would send, and does send where they are not: see `connections`.
Only what is plain goes ahead, to an endpoint that is reached without a proxy.
"""

import os
import socket
import sys
import threading
from typing import Any

from llmcli.backends.http.endpoint import Endpoint, request_headers, tls_context
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.thread import Patience
from llmcli.config.url import PORTS, is_loopback, origin

_BLOCK = 65536
# Seconds in which a server nearby is connected to. To load a module keeps other threads waiting.
_NEARBY = 0.002
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME = {*_LETTERS, *_LETTERS.upper(), *"0123456789-"}
_PATH = {*_NAME, *"_.~!$&'()*+,;=:@"}
_OTHERS = {"host", "content-length", "transfer-encoding", "authorization", "connection"}


class Ahead:
    """Of what is `plain`. `sent`: what has been, and what has `broken` the rest."""

    def __init__(self, endpoint: Endpoint, body: bytes, progress: Progress) -> None:
        self.sent = memoryview(b"")
        self._endpoint = endpoint
        self._progress = progress
        self._connection: socket.socket | None = None
        self._error: Exception | None = None
        self.broken: OSError | None = None
        self._thread = threading.Thread(target=self._run, args=(body,), daemon=True)
        self._thread.start()
        self._thread.join(_NEARBY)

    def has_connected(self, patience: Patience) -> bool:
        """Whether anybody was reached, once that is known."""
        while self._thread.is_alive():
            self._thread.join(patience())
        return self._connection is not None or self._error is not None

    def take(self) -> socket.socket | None:
        """The connection, once; None where there is none, and nobody was reached. Raises what
        broke its handshake."""
        self._thread.join()
        connection, self._connection = self._connection, None
        error, self._error = self._error, None
        if error:
            raise error
        return connection

    def _run(self, body: bytes) -> None:
        try:
            self._progress.begin()
            self._connect()
        except Exception:
            return  # whoever tries again finds out why
        try:
            self._secure()
        except Exception as error:
            self._error = error
            return
        try:
            self._send(body)
        except OSError as error:
            self.broken = error

    def _connect(self) -> None:
        _, host, port = origin(self._endpoint.base_url)
        # As bytes it needs no codec, which would have to be loaded.
        address: Any = host.encode(), port
        connection = socket.create_connection(address, self._endpoint.connect_timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection

    def _secure(self) -> None:
        scheme, host, _ = origin(self._endpoint.base_url)
        if scheme == "https":
            assert self._connection is not None
            context = tls_context(self._endpoint)
            self._connection = context.wrap_socket(self._connection, server_hostname=host)

    def _send(self, body: bytes) -> None:
        assert self._connection is not None
        self._progress.sending(self._connection)
        self._connection.settimeout(self._endpoint.idle_timeout)
        request = memoryview(head(self._endpoint, len(body)) + body)
        while len(self.sent) < len(request):
            at = len(self.sent)
            self.sent = request[: at + self._connection.send(request[at : at + _BLOCK])]


def plain(endpoint: Endpoint) -> bool:
    """Whether it is known what requests would send, and that it would take no proxy."""
    own = request_headers(Endpoint("")).keys()
    headers = endpoint.headers
    taken = _OTHERS | {name.lower() for name in own}
    values = [*headers.values(), *([endpoint.key.value] if endpoint.key else [])]
    return (
        _is_plain_url(endpoint.url)
        and all(_NAME.issuperset(name) and name.lower() not in taken for name in headers)
        and len({name.lower() for name in headers}) == len(headers)
        and all(v and v.isascii() and v.isprintable() and v == v.strip() for v in values)
        and (is_loopback(endpoint.url) or _no_proxy())
    )


def _is_plain_url(url: str) -> bool:
    """Neither requests nor urllib3 would write it in another way."""
    scheme, _, rest = url.partition("://")
    address, *path = rest.split("/")
    host, _, port = address.partition(":")
    return (
        scheme in PORTS
        and _NAME.issuperset(host.replace(".", ""))
        and host == host.lower()
        and ".." not in f".{host}."
        and (not port or (port.isdecimal() and port[0] != "0"))
        and all(part[:1] not in ("", ".") and _PATH.issuperset(part) for part in path)
    )


def _no_proxy() -> bool:
    """Other systems than Linux have settings beside the variables, whose names may be in any
    case."""
    names = (name for name, value in os.environ.items() if value)
    proxies = (name for name in map(str.lower, names) if name.endswith("_proxy"))
    return sys.platform == "linux" and not set(proxies) - {"no_proxy"}


def head(endpoint: Endpoint, length: int) -> bytes:
    scheme, host, port = origin(endpoint.url)
    address = host if port == PORTS[scheme] else f"{host}:{port}"
    path = endpoint.url.split("/", 3)[3]
    fields = {"Host": address, **request_headers(endpoint), "Content-Length": str(length)}
    if endpoint.key:
        fields["Authorization"] = f"Bearer {endpoint.key.value}"
    lines = [f"POST /{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()

"""A request that is sent while requests is still being loaded, which takes most of a start.

An early request has exactly the bytes that requests would send. `connections` compares the two, and
sends the request in the ordinary way if they differ. A request is sent early only where these bytes
can be foretold, and to an endpoint that is reached without a proxy: see `can_go_early`.

A short way: without it a completion of 10 events, from a server that needs 50 ms for the first,
takes 1.5 times as long from start to end, by `python -m tests.benchmarks short`. Private names that
it needs are those of `connections`, which hands the connection to urllib3.
"""

import os
import socket
import sys
import threading
from typing import Any

from llmcli.backends.http.endpoint import Endpoint, request_headers, tls_context
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.thread import Patience, next_wait
from llmcli.config.url import PORTS, is_loopback, origin

# Bytes sent at once.
_BLOCK = 65536
# Seconds that are enough to connect to a server nearby. They are waited for, because the loading of
# modules afterwards keeps the thread that connects from running.
_NEARBY = 0.002
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Characters of host and header names, and of paths, that requests sends as they are.
_NAME = {*_LETTERS, *_LETTERS.upper(), *"0123456789-"}
_PATH = {*_NAME, *"_.~!$&'()*+,;=:@"}
_QUERY = {*_NAME, *"_.~&=:"}
# Headers that frame the request or that requests sets itself.
_RESERVED = {"host", "content-length", "transfer-encoding", "authorization", "connection"}


class EarlyRequest:
    """A request for which `can_go_early` is true; a thread sends it as soon as it is made.

    `sent` is the part of the request, head and body, that has been sent. `broken` is the error that
    kept the rest from being sent, or None.
    """

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
        """Wait until the thread has ended; return True if the endpoint was reached.

        Raises what `patience` raises when that takes too long.
        """
        while self._thread.is_alive():
            self._thread.join(next_wait(patience))
        return self._connection is not None or self._error is not None

    def take(self) -> socket.socket | None:
        """Wait until the thread has ended; return its connection, which the caller must close.

        Return None if the endpoint was not reached, and on a second call. Raises the error of the
        TLS handshake, if that failed.
        """
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
        except Exception:  # noqa: BLE001  # requests connects again, and meets the same error
            return
        try:
            self._secure()
        except Exception as error:  # noqa: BLE001  # take() raises it again
            self._error = error
            return
        try:
            self._send(body)
        except OSError as error:
            self.broken = error

    def _connect(self) -> None:
        _, host, port = origin(self._endpoint.base_url)
        # Bytes, since for a str Python would have to load the codec idna.
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
        request = memoryview(request_head(self._endpoint, len(body)) + body)
        while len(self.sent) < len(request):
            at = len(self.sent)
            self.sent = request[: at + self._connection.send(request[at : at + _BLOCK])]


def can_go_early(endpoint: Endpoint) -> bool:
    """Return True if the bytes that requests would send are known, and it would use no proxy."""
    own = request_headers(Endpoint("")).keys()
    headers = endpoint.headers
    taken = _RESERVED | {name.lower() for name in own}
    values = [*headers.values(), *([endpoint.key.value] if endpoint.key else [])]
    taken.add(endpoint.key_header.lower())
    return (
        _is_plain_url(endpoint.url)
        and all(_NAME.issuperset(name) and name.lower() not in taken for name in headers)
        and len({name.lower() for name in headers}) == len(headers)
        and all(v and v.isascii() and v.isprintable() and v == v.strip() for v in values)
        and (is_loopback(endpoint.url) or _no_proxy())
    )


def _is_plain_url(url: str) -> bool:
    """Return True if neither requests nor urllib3 would change the spelling of `url`."""
    scheme, _, rest = url.partition("://")
    rest, mark, query = rest.partition("?")
    address, *path = rest.split("/")
    host, _, port = address.partition(":")
    return (
        scheme in PORTS
        and _NAME.issuperset(host.replace(".", ""))
        and host == host.lower()
        and ".." not in f".{host}."
        and (not port or (port.isdecimal() and port[0] != "0"))
        and all(part[:1] not in ("", ".") and _PATH.issuperset(part) for part in path)
        and (bool(query) if mark else True)
        and _QUERY.issuperset(query)
    )


def _no_proxy() -> bool:
    """Return True if it is certain that no proxy is configured.

    It is never certain on systems other than Linux, which have settings for proxies as well.
    """
    # requests finds the variables in lower, upper and mixed case.
    names = (name for name, value in os.environ.items() if value)
    proxies = (name for name in map(str.lower, names) if name.endswith("_proxy"))
    return sys.platform == "linux" and not set(proxies) - {"no_proxy"}


def request_head(endpoint: Endpoint, length: int) -> bytes:
    """Return the head of a POST with a body of `length` bytes, as requests would send it."""
    scheme, host, port = origin(endpoint.url)
    address = host if port == PORTS[scheme] else f"{host}:{port}"
    path = endpoint.url.split("/", 3)[3]
    fields = {"Host": address, **request_headers(endpoint), "Content-Length": str(length)}
    if endpoint.credential:
        name, value = endpoint.credential
        fields[name] = value
    lines = [f"POST /{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()

"""A plain request, which is sent and read by http.client alone, without requests.

A thread sends the request while the modules that read the reply are being loaded. It has exactly
the bytes that requests would send. A request goes this way only where these bytes can be foretold,
and to an endpoint that is reached without a proxy and without a client certificate: see `is_plain`.

A short way: without it a completion of 10 events takes 1.6 times as long from start to end, by
`python -m tests.benchmarks short`. Which names of http.client it needs stands in `response`.
"""

import socket
import threading
from typing import TYPE_CHECKING

from llmcli.backends.http.endpoint import Endpoint, request_headers, tls_context
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.http.wire import proxy
from llmcli.backends.http.wire.addresses import open_socket
from llmcli.backends.thread import next_wait
from llmcli.config.url import PORTS, host_of, origin
from llmcli.errors import LlmcliError

if TYPE_CHECKING:
    from llmcli.backends.http.reply.received import Received
    from llmcli.backends.http.reply.response import Response

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


class PlainRequest:
    """A request for which `is_plain` is true; a thread sends it as soon as it is made."""

    def __init__(self, endpoint: Endpoint, body: bytes, progress: Progress) -> None:
        self._endpoint = endpoint
        self._progress = progress
        self._connection: socket.socket | None = None
        # Why the request was not sent, or not all of it.
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(body,), daemon=True)
        self._thread.start()
        self._thread.join(_NEARBY)

    def receive(self) -> "Received":
        """Yield the head of the reply, then its body in pieces as they arrive.

        Raises an LlmcliError before the head if no reply begins, or after it if the reply breaks
        off; also what the progress raises when that takes too long.
        """
        from llmcli.backends.http import errors  # noqa: PLC0415  # while the server works
        from llmcli.backends.http.reply import received  # noqa: PLC0415  # the same

        try:
            try:
                response = self._response()
            except LlmcliError:
                raise
            except Exception as error:
                target = host_of(self._endpoint.url)
                raise errors.before_answer(error, target, self._endpoint.idle_timeout) from error
            yield from received.received(response, self._endpoint.idle_timeout)
        finally:
            if self._connection:
                self._connection.close()

    def _response(self) -> "Response":
        """Wait until the request was sent, and return the reply, whose head has been read."""
        while self._thread.is_alive():
            self._thread.join(next_wait(self._progress.patience))
        broken = self._error
        if self._connection is None or isinstance(broken, (TimeoutError, LlmcliError)):
            raise broken or OSError("not connected")
        from llmcli.backends.http.reply.response import Response  # noqa: PLC0415  # loads http.client

        response = Response(self._connection, self._progress, method="POST")
        try:
            response.begin()
        except OSError as error:
            # A server that does not read to the end may have answered before it closed the
            # connection, by TLS as well: "ALERT" stands in that error. If it did not, the loss
            # while sending is the reason; it may be an error of ssl, though TLS is not to blame.
            if broken is None or "ALERT" in str(error):
                raise
            raise BrokenPipeError() from broken
        return response

    def _run(self, body: bytes) -> None:
        try:
            connection = self._connected()
            # A server may take as long to read the request as to answer it.
            connection.settimeout(self._endpoint.idle_timeout)
            self._connection = connection
            self._progress.sending(connection)
            request = memoryview(request_head(self._endpoint, len(body)) + body)
            while request:
                request = request[connection.send(request[:_BLOCK]) :]
        except Exception as error:  # noqa: BLE001  # _response() raises it again
            self._error = error

    def _connected(self) -> socket.socket:
        scheme, host, port = origin(self._endpoint.base_url)
        connection = open_socket(host, port, self._progress)
        if scheme == "http":
            return connection
        connection.settimeout(self._endpoint.connect_timeout)
        from llmcli.backends.http.wire.validity import handshake  # noqa: PLC0415  # not for http://

        return handshake(tls_context(self._endpoint), connection, host)


def is_plain(endpoint: Endpoint) -> bool:
    """Return True if the bytes that requests would send are known.

    It must be reached without a proxy and without a client certificate, too.
    """
    own = request_headers(Endpoint("")).keys()
    headers = endpoint.headers
    taken = _RESERVED | {name.lower() for name in (*own, endpoint.key_header)}
    values = [*headers.values(), *([endpoint.key.value] if endpoint.key else [])]
    return (
        _is_plain_url(endpoint.url)
        and all(_NAME.issuperset(name) and name.lower() not in taken for name in headers)
        and len({name.lower() for name in headers}) == len(headers)
        and all(v and v.isascii() and v.isprintable() and v == v.strip() for v in values)
        and endpoint.client_cert is None
        and proxy.of_process(endpoint.url) is None
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
        and bool(query) == bool(mark)
        and _QUERY.issuperset(query)
    )


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

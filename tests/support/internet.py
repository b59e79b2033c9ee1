"""Every server of the world, on loopback: a proxy that answers for any host it is asked for.

So the real program can be run with the real addresses of the providers, and what it sends to each
is seen, though nothing leaves the machine.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

import trustme

from tests.support.endpoint import Request, Script, Wire, answer, listening

# The headers in which a key could be sent.
CARRIERS = ("authorization", "api-key", "x-api-key")


class Internet:
    """Answers each request by `script`, and keeps it beside the origin for which it was meant."""

    def __init__(self, folder: Path, script: Script | None = None) -> None:
        self.script = script or answer("ok")
        self.received: list[tuple[str, Request]] = []
        self.port = 0
        self._authority = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self._bundle = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self._bundle))

    @property
    def variables(self) -> dict[str, str]:
        """The variables that lead the program here."""
        proxy = f"http://127.0.0.1:{self.port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY")
        return {
            "NO_PROXY": "",
            "REQUESTS_CA_BUNDLE": str(self._bundle),
            "LLMCLI_ALLOW_HTTP": "1",
            **dict.fromkeys(names, proxy),
        }

    def serve(self, connection: socket) -> None:
        try:
            with connection:
                wire = Wire(connection)
                request = wire.receive()
                if request is None:
                    return
                if request.method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    self._secure(connection, *request.path.split(":"))
                else:
                    parts = urlsplit(request.path)
                    self._answer(wire, request, f"http://{parts.netloc}")
        except OSError:
            pass  # the client went away

    def _secure(self, connection: socket, host: str, port: str) -> None:
        with self._context(host).wrap_socket(connection, server_side=True) as secured:
            wire = Wire(secured)
            request = wire.receive()
            if request:
                self._answer(wire, request, f"https://{host}" + f":{port}".removesuffix(":443"))

    def _answer(self, wire: Wire, request: Request, origin: str) -> None:
        self.received.append((origin, request))
        self.script(wire, request)

    def _context(self, host: str) -> ssl.SSLContext:
        with self._lock:
            if host not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._authority.issue_cert(host).configure_cert(context)
                self._contexts[host] = context
            return self._contexts[host]


def keys_in(request: Request) -> list[str]:
    """The keys that a request carries."""
    values = (request.headers[name] for name in CARRIERS if name in request.headers)
    return [value.removeprefix("Bearer ") for value in values]


@contextmanager
def internet(folder: Path, script: Script | None = None) -> Iterator[Internet]:
    world = Internet(folder, script)
    with listening(world.serve) as world.port:
        yield world

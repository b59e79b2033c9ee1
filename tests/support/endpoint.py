"""A scripted endpoint on loopback: real sockets, bytes exactly as a test writes them."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection, seen from the server. `chunked` frames what `send` is given."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        # What is sent leaves at once: waiting for an acknowledgment, it would be lost by `reset`.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = connection.makefile("rb")
        self.chunked = False

    def receive(self) -> Request | None:
        line = self._reader.readline()
        if not line.strip():
            return None
        method, path, _ = line.decode().split()
        headers: dict[str, str] = {}
        while (line := self._reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self._reader.read(int(headers.get("content-length", 0)))
        return Request(method, path, headers, body)

    def head(
        self,
        status: str = "200 OK",
        content_type: str = "text/event-stream",
        *extra: str,
        chunked: bool = True,
    ) -> None:
        """The head of a reply, in chunks or else framed by the connection's end."""
        self.chunked = chunked
        framing = "Transfer-Encoding: chunked" if chunked else "Connection: close"
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", framing, *extra]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")

    def send(self, data: bytes) -> None:
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)

    def event(self, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.send(f"data: {text}\n\n".encode())

    def text(self, text: str, **choice: Any) -> None:
        """A chunk of the answer."""
        self.event(chunk(text, **choice))

    def finish(self, reason: str = "stop", usage: Any = None) -> None:
        """The end of a stream as it should be."""
        last = chunk("", finish_reason=reason)
        if usage is not None:
            last["usage"] = usage
        self.event(last)
        self.event("[DONE]")
        self.end()

    def end(self) -> None:
        if self.chunked:
            self.socket.sendall(b"0\r\n\r\n")

    def json(self, value: Any, status: str = "200 OK", *extra: str) -> None:
        """A whole reply in one piece."""
        self.whole(json.dumps(value).encode(), status, "application/json", *extra)

    def whole(self, body: bytes, status: str, content_type: str, *extra: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}"]
        lines += [f"Content-Length: {len(body)}", *extra]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reset(self) -> None:
        """End the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def chunk(text: str | None = None, **choice: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {
        "id": "gen-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}],
    }


USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 34,
    "prompt_tokens_details": {"cached_tokens": 4},
    "cost": 0.00123,
}

Script = Callable[[Wire, Request], None]


def events(*values: Any, done: bool = True, reset: bool = False) -> Script:
    """A stream of `values`, which may lack its end or be torn off."""

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for value in values:
            wire.event(value)
        if done:
            wire.event("[DONE]")
        wire.reset() if reset else wire.end()

    return script


def answer(*texts: str, usage: Any = None) -> Script:
    """A good stream of `texts`."""

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for text in texts:
            wire.text(text)
        wire.finish(usage=usage)

    return script


def reasoning(usage: Any = None) -> Script:
    """A good stream with thinking before the answer."""

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.event(chunk(None, delta={"reasoning": "let me think"}))
        wire.text("answer")
        wire.finish(usage=usage)

    return script


def calling(*calls: tuple[str, str, Any], text: str = "", usage: Any = None) -> Script:
    """A good stream of `text` and tool calls: id, name, and arguments as text or JSON."""

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        if text:
            wire.text(text)
        for index, (identity, name, arguments) in enumerate(calls):
            told = arguments if isinstance(arguments, str) else json.dumps(arguments)
            function = {"name": name, "arguments": told}
            call = {"index": index, "id": identity, "type": "function", "function": function}
            wire.event(chunk(None, delta={"tool_calls": [call]}))
        wire.finish("tool_calls", usage=usage)

    return script


def in_turn(*scripts: Script) -> Script:
    """The first request is answered by the first script, and so on; the last one stays."""
    waiting = list(scripts)

    def script(wire: Wire, request: Request) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(wire, request)

    return script


def broken(wire: Wire, _request: Request) -> None:
    """An error after some text."""
    wire.head()
    wire.text("half an ans")
    wire.event({"error": {"code": "server_error", "message": "gone", "metadata": {"k": 1}}})
    wire.end()


def started(wire: Wire, _request: Request) -> None:
    """Some text, then silence."""
    wire.head()
    wire.text("some")
    wire.receive()


def slow_headers(wire: Wire, _request: Request) -> None:
    while True:
        wire.socket.sendall(b"H")
        time.sleep(0.05)


def comments(wire: Wire, _request: Request) -> None:
    """A stream that is kept alive and says nothing."""
    wire.head()
    while True:
        wire.send(b": keep-alive\n\n")
        time.sleep(0.05)


@dataclass
class Server:
    """Answers each request by `script`; keeps what it received."""

    script: Script
    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/v1"

    @property
    def only(self) -> Request:
        assert len(self.requests) == 1, [r.path for r in self.requests]
        return self.requests[0]

    @property
    def authorization(self) -> str | None:
        """The header that carried the key of the last request."""
        return self.requests[-1].headers.get("authorization")

    def serve(self, connection: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        try:
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                wire = Wire(connection)
                request = wire.receive()
                if request:
                    self.requests.append(request)
                    self.script(wire, request)
        except OSError:
            pass  # the client went away, or the script reset the connection


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(script, scheme="https" if tls else "http")
    with listening(lambda connection: server.serve(connection, tls)) as server.port:
        yield server


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port, each connection to which has `serve` in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=[connection], daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # A thread that still accepts would answer on the port of a later server.
            with suppress(OSError):  # macOS: what only listens cannot be shut down
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            accepting.join(10)

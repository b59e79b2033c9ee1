"""Connections that are kept without requests read every reply as those of requests do."""

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.backends.http.by_requests.client import Client
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.kept import KeptConnections
from llmcli.backends.http.reply.plain_reply import plain_head
from llmcli.backends.http.reply.received import Head
from llmcli.backends.http.timeouts import Progress
from llmcli.errors import LlmcliError
from tests.support.endpoint import listening

_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_VALUES = st.sampled_from([
    "chunked", "gzip, chunked", "2", "2, 2", "x", "", "close", "keep-alive", "a  b", "\t", "ü",
])  # fmt: skip
_NAMES = st.sampled_from([
    "Content-Length", "content-length", "Transfer-Encoding", "Connection", "X-Request-Id", "A B",
])  # fmt: skip
_FIELDS = st.lists(st.tuples(_NAMES, st.sampled_from([":", ": ", " : "]), _VALUES), max_size=4)
_STATUS_LINES = st.sampled_from([
    "HTTP/1.1 200 OK", "HTTP/1.1 503", "HTTP/1.0 200 OK", "HTTP/1.1 204 No", "HTTP/1.1 99 x", "x",
])  # fmt: skip


class _Text:
    """What http.client takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@given(_STATUS_LINES, _FIELDS, st.sampled_from(["\r\n", "\n"]))
def test_a_plain_head_is_read_as_http_client_reads_it(
    status: str, fields: list[tuple[str, str, str]], end: str
) -> None:
    lines = [status, *("".join(field) for field in fields), "", ""]
    head = end.join(lines).encode("latin-1")
    found = plain_head(head)
    if found is None:
        return
    connection: Any = _Text(head)
    reply = http.client.HTTPResponse(connection, method="POST")
    reply.begin()
    assert found == (reply.status, {k.lower(): v for k, v in reply.headers.items()})
    assert ("transfer-encoding" in found[1]) == reply.chunked
    assert reply.chunked or int(found[1]["content-length"]) == reply.length
    if "close" not in found[1].get("connection", ""):
        assert not reply.will_close


def test_what_servers_send_is_plain() -> None:
    assert plain_head(_WHOLE.partition(b"ok")[0]) == (200, {"content-length": "2"})
    head = b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nDate: Sat, 28 Nov 2026\r\n\r\n"
    found = plain_head(head)
    assert found and found[1]["date"] == "Sat, 28 Nov 2026"


@contextmanager
def replying(reply: bytes, times: int) -> Iterator[tuple[int, list[int]]]:
    """A port that replies so often on a connection and closes it; and the number of each."""
    connections: list[int] = []

    def serve(connection: socket.socket) -> None:
        number = len(connections)
        with connection:
            for _ in range(times):
                if not connection.recv(1 << 16):
                    return
                connections.append(number)
                connection.sendall(reply)

    with listening(serve) as port:
        yield port, connections


def progress() -> Progress:
    return Progress("the server", 5, 5, lambda _line: None)


def outcome(client: Any) -> tuple[Any, ...]:
    """The status and the body of a reply, or the error."""
    came = b""
    try:
        received = client.receive(b"{}", progress())
        head = next(received)
        assert isinstance(head, Head)
        for block in received:
            came += block
    except LlmcliError as error:
        return (type(error), str(error), came)
    return (head.status, head.headers.get("content-length"), came)


_REPLIES = [
    _WHOLE,
    b"HTTP/1.1 100 Continue\r\n\r\n" + _WHOLE,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nRetry-After: 1\r\n\r\nlate",
    b"HTTP/1.0 200 OK\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\n\r\nok",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    b"SSH-2.0-x\r\n\r\n",
    b"HTTP/1.1 2",
    b"",
]


@pytest.mark.parametrize("reply", _REPLIES)
def test_both_ways_read_the_same(reply: bytes) -> None:
    with replying(reply, 1) as (port, _):
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")
        by_requests = outcome(Client(endpoint, "POST", endpoint.url, 2))
        assert outcome(KeptConnections(endpoint, 2)) == by_requests


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(_REPLIES), st.integers(0, 60))
def test_both_ways_read_the_same_of_a_reply_that_is_cut(reply: bytes, length: int) -> None:
    with replying(reply[:length], 1) as (port, _):
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")
        by_requests = outcome(Client(endpoint, "POST", endpoint.url, 2))
        assert outcome(KeptConnections(endpoint, 2)) == by_requests


def test_a_connection_is_kept_as_long_as_the_server_keeps_it() -> None:
    with replying(_WHOLE, 3) as (port, connections):
        client = KeptConnections(Endpoint(f"http://127.0.0.1:{port}/v1"), 2)
        assert [outcome(client) for _ in range(3)] == [(200, "2", b"ok")] * 3
        assert connections == [0, 0, 0]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    ],
)
def test_a_connection_that_cannot_be_kept_is_not(reply: bytes) -> None:
    with replying(reply, 3) as (port, connections):
        client = KeptConnections(Endpoint(f"http://127.0.0.1:{port}/v1"), 2)
        assert [outcome(client)[2] for _ in range(2)] == [b"ok"] * 2
        assert len(set(connections)) == 2


def test_no_more_connections_are_kept_than_asked_for() -> None:
    with replying(_WHOLE, 9) as (port, connections):
        client = KeptConnections(Endpoint(f"http://127.0.0.1:{port}/v1"), 1)
        first, second = (client.receive(b"{}", progress()) for _ in range(2))
        for received in (first, second):
            assert isinstance(next(received), Head)
        assert list(first) == list(second) == [b"ok"]
        assert [outcome(client) for _ in range(2)] == [(200, "2", b"ok")] * 2
        assert len(set(connections)) == 2

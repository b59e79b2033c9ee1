"""A plain request is, byte by byte, that which requests would have sent."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmcli.backends.http.by_requests.client import Client
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.plain import PlainRequest, is_plain, request_head
from llmcli.backends.http.reply.received import Received
from llmcli.backends.http.timeouts import Progress
from llmcli.config.keys import Key
from tests.support.endpoint import listening

_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def capturing(reply: bytes = _REPLY) -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what was sent on each connection to it."""
    came: list[bytes] = []

    def receive(connection: socket.socket) -> None:
        with connection:
            data = b""
            while not _is_whole(data) and (block := connection.recv(1 << 20)):
                data += block
            came.append(data)
            connection.sendall(reply)

    with listening(receive) as port:
        yield port, came


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)


def progress() -> Progress:
    return Progress("the server", 5, 5, lambda _line: None)


def whole(received: Received) -> bytes:
    return b"".join(block for block in received if isinstance(block, bytes))


def by_requests(endpoint: Endpoint, body: bytes) -> bytes:
    return whole(Client(endpoint, "POST", endpoint.url).receive(body, progress()))


def by_plain(endpoint: Endpoint, body: bytes) -> bytes:
    return whole(PlainRequest(endpoint, body, progress()).receive())


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=9)
_ODD = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=3)
_PATHS = st.lists(st.text("abAB09-_.~!$&'()*+,;=:@%?é", min_size=1, max_size=2), max_size=4)
_NAMES = st.sampled_from(["X-Title", "x-title", "Accept", "HTTP-Referer", "Cookie", "Expect-CT"])
_HEADERS = st.dictionaries(_NAMES | st.text("aX-_", min_size=1, max_size=8), _TEXT, max_size=2)
_QUERIES = st.just("") | st.text("abAB09-_.~&=:/?%é+ ", max_size=4).map("?".__add__)
_CARRIERS = st.sampled_from(["Authorization", "api-key"])


@settings(max_examples=150, deadline=None)
@given(_PATHS, _HEADERS, st.none() | _TEXT | _ODD, st.binary(max_size=40), _QUERIES, _CARRIERS)
def test_both_ways_send_the_same_bytes(
    path: list[str], headers: dict[str, str], key: str | None, body: bytes, query: str, carrier: str
) -> None:
    with capturing() as (port, came):
        base_url = "/".join([f"http://127.0.0.1:{port}", *path]) + query
        of_test = None if key is None else Key(key, "a test")
        endpoint = Endpoint(base_url, of_test, headers, key_header=carrier)
        assume(is_plain(endpoint))  # which fails where it is for too few
        assert by_plain(endpoint, body) == by_requests(endpoint, body) == b"ok"
        assert came == [request_head(endpoint, len(body)) + body] * 2


@pytest.mark.parametrize("size", [0, 3, 70_000, 5_000_000])
def test_it_is_sent_once(size: int) -> None:
    with capturing() as (port, came):
        endpoint, body = Endpoint(f"http://127.0.0.1:{port}/v1", Key("k", "a test")), b"x" * size
        assert by_plain(endpoint, body) == b"ok"
        assert came == [request_head(endpoint, size) + body]


def test_it_does_without_requests() -> None:
    with capturing() as (port, came):
        script = f"""
import sys
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.plain import PlainRequest
from llmcli.backends.http.timeouts import Progress
endpoint = Endpoint("http://127.0.0.1:{port}/v1")
head, body = PlainRequest(endpoint, b"{{}}", Progress("", 5, 5, print)).receive()
print(head.status, body, {{"requests", "urllib3"}} & set(sys.modules))
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        assert done.stdout.endswith(b"200 b'ok' set()\n")
        assert len(came) == 1


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_nothing_goes_past_a_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    far = Endpoint("https://api.example.com/v1")
    assert is_plain(far)
    assert not is_plain(Endpoint(far.base_url, client_cert="me.pem"))
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert not is_plain(far)
    assert is_plain(Endpoint("http://127.0.0.1:1234/v1"))
    monkeypatch.setenv("NO_PROXY", ".example.com")
    assert is_plain(far)

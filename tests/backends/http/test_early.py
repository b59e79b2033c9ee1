"""A request that goes ahead is, byte by byte, that which requests would have sent."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmcli.backends.http import early
from llmcli.backends.http.client import Client
from llmcli.backends.http.early import EarlyRequest, can_go_early
from llmcli.backends.http.endpoint import Endpoint
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


def received(endpoint: Endpoint, body: bytes, went: EarlyRequest | None = None) -> bytes:
    _head, *blocks = Client(endpoint, "POST", endpoint.url, early=went).receive(body)
    return b"".join(block for block in blocks if isinstance(block, bytes))


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=9)
_ODD = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=3)
_PATHS = st.lists(st.text("abAB09-_.~!$&'()*+,;=:@%?é", min_size=1, max_size=2), max_size=4)
_NAMES = st.sampled_from(["X-Title", "x-title", "Accept", "HTTP-Referer", "Cookie", "Expect-CT"])
_HEADERS = st.dictionaries(_NAMES | st.text("aX-_", min_size=1, max_size=8), _TEXT, max_size=2)
_QUERIES = st.just("") | st.text("abAB09-_.~&=:/?%é+ ", max_size=4).map("?".__add__)
_CARRIERS = st.sampled_from(["Authorization", "api-key"])


@settings(max_examples=150, deadline=None)
@given(_PATHS, _HEADERS, st.none() | _TEXT | _ODD, st.binary(max_size=40), _QUERIES, _CARRIERS)
def test_what_goes_ahead_is_what_requests_sends(
    path: list[str], headers: dict[str, str], key: str | None, body: bytes, query: str, carrier: str
) -> None:
    with capturing() as (port, came):
        base_url = "/".join([f"http://127.0.0.1:{port}", *path]) + query
        endpoint = Endpoint(
            base_url,
            None if key is None else Key(key, "a test"),
            headers,
            key_header=carrier,
        )
        assume(can_go_early(endpoint))  # which fails where it is for too few
        assert received(endpoint, body) == b"ok"
        assert came == [early.request_head(endpoint, len(body)) + body]


@pytest.mark.parametrize("size", [0, 3, 70_000, 5_000_000])
def test_it_is_sent_once(size: int) -> None:
    with capturing() as (port, came):
        endpoint, body = Endpoint(f"http://127.0.0.1:{port}/v1", Key("k", "a test")), b"x" * size
        assert received(endpoint, body, EarlyRequest(endpoint, body, progress())) == b"ok"
        assert came == [early.request_head(endpoint, size) + body]


def test_what_was_not_foreseen_goes_as_requests_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    right = early.request_head
    with capturing() as (port, came):
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")
        monkeypatch.setattr(
            early, "request_head", lambda *given: right(*given).replace(b"Host", b"HOST")
        )
        went = EarlyRequest(endpoint, b"{}", progress())
        assert received(endpoint, b"{}", went) == b"ok"
        assert right(endpoint, 2) + b"{}" in came


def test_it_does_not_wait_for_requests() -> None:
    with capturing() as (port, came):
        script = f"""
import sys
from llmcli.backends.http.early import EarlyRequest
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.timeouts import Progress
endpoint = Endpoint("http://127.0.0.1:{port}/v1")
connection = EarlyRequest(endpoint, b"{{}}", Progress("", 5, 5, print)).take()
print(connection.recv(100).partition(b" ")[0], "requests" in sys.modules)
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        assert done.stdout.endswith(b"b'HTTP/1.1' False\n")
        assert len(came) == 1


def test_nobody_there_is_found_out_by_whoever_tries_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert EarlyRequest(Endpoint(f"http://127.0.0.1:{port}/v1"), b"", progress()).take() is None


@pytest.mark.parametrize(
    "name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "http_proxy", "Https_Proxy"]
)
def test_nothing_goes_past_a_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    far = Endpoint("https://api.example.com/v1")
    assert can_go_early(far)
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert not can_go_early(far)
    assert can_go_early(Endpoint("http://127.0.0.1:1234/v1"))
    monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not can_go_early(far)

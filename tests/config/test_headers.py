"""The headers of a request: the user's own, and those that llmcli adds."""

from collections.abc import Callable
from pathlib import Path

from tests.support.endpoint import Script, Server
from tests.support.program import Run

Endpoint = Callable[[Script], Server]


def test_headers(run: Run, server: Server) -> None:
    done = run("ask", "--header", "X-Extra=a=b", "--header", "X-Title=mine", "hi")
    assert done.returncode == 0, done.stderr
    headers = server.only.headers
    assert server.only.path == "/v1/chat/completions"
    assert headers["x-extra"] == "a=b"
    assert headers["x-title"] == "mine"
    assert headers["http-referer"] == "urn:llmcli"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("llmcli/")
    assert headers["authorization"].startswith("Bearer sk-test-")


def test_title_and_referer_can_be_set_or_left_out(
    run: Run, server: Server, config: Callable[[str], Path]
) -> None:
    config('x_title = ""\nhttp_referer = "https://example.org"\nheaders = { X-Team = "blue" }\n')
    assert run("ask", "hi").returncode == 0
    assert "x-title" not in server.only.headers
    assert server.only.headers["http-referer"] == "https://example.org"
    assert server.only.headers["x-team"] == "blue"

"""Proxies: which requests go through one, and what is said of one that refuses."""

from collections.abc import Callable

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.faults import error
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


def test_a_refused_proxy_whose_port_looks_like_a_status(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    env |= {"NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:14071", "LLMCLI_ALLOW_HTTP": "1"}
    done = run("ask", "hi", "--base-url", "http://far.invalid", "--retries", "0")
    assert done.returncode == 68
    env["HTTP_PROXY"] = "http://user:pr0#xySECRET@127.0.0.1:1"
    done = run("ask", "hi", "--base-url", "http://far.invalid", "--retries", "0")
    assert done.returncode in (68, 78)
    assert b"pr0" not in done.stderr


def test_this_machine_is_asked_without_a_proxy(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("good"))
    env |= {"NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    assert run("ask", "hi").stdout == b"good\n"


def good(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("ok")
    wire.finish()


def test_proxy_is_used_and_its_password_not_shown(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    proxy = endpoint(good)
    env["NO_PROXY"] = ""
    env["HTTP_PROXY"] = f"http://user:hunter2@127.0.0.1:{proxy.port}"
    env["LLMCLI_ALLOW_HTTP"] = "1"
    done = run("ask", "-q", "hi", "--base-url", "http://far.invalid/v1")
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert proxy.only.path == "http://far.invalid/v1/chat/completions"
    env["HTTP_PROXY"] = "http://user:hunter2@127.0.0.1:1"
    done = run("ask", "hi", "--base-url", "http://far.invalid/v1", "--retries", "0")
    assert done.returncode == 68
    assert "the proxy for far.invalid cannot be reached" in one_line(done.stderr)
    assert b"hunter2" not in done.stderr


def test_proxy_that_asks_for_a_password(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    proxy = endpoint(error("407 Proxy Authentication Required", {}))
    env["NO_PROXY"] = ""
    env["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.port}"
    done = run("ask", "hi", "--base-url", "https://far.invalid/v1", "--retries", "0")
    assert done.returncode == 77
    assert "the proxy asks for a password" in one_line(done.stderr)

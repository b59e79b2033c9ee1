"""A proxy that refuses to connect to the endpoint: what is said of it, and when `map` ends."""

from collections.abc import Callable

import pytest

from tests.support.echo import lines, rows
from tests.support.endpoint import Script, Server
from tests.support.faults import error
from tests.support.program import Run

Endpoint = Callable[[Script], Server]


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return env | {"NO_PROXY": "", "LLMCLI_ALLOW_HTTP": "1"}


@pytest.mark.parametrize("command", [("ask", "-q"), ("map", "-q", "-j", "2")])
@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [
        ("401 Who", 68, 1),
        ("403 Forbidden", 68, 1),
        ("404 Not Found", 68, 1),
        ("405 Method Not Allowed", 68, 1),
        ("502 Bad Gateway", 68, 2),
        ("503 Service Unavailable", 68, 2),
        ("504 Gateway Timeout", 68, 2),
        ("407 Proxy Authentication Required", 77, 1),
    ],
)
def test_a_refused_connect(
    run: Run, endpoint: Endpoint, env: dict[str, str],
    command: tuple[str, ...], status: str, code: int, attempts: int,
) -> None:  # fmt: skip
    proxy = endpoint(error(status, {}, "Connection: close"))
    env["HTTPS_PROXY"] = f"http://user:hunter2@127.0.0.1:{proxy.port}"
    options = ("-m", "m", "--base-url", "https://far.invalid/v1", "--retries", "1")
    done = run(*command, *options, "{}" if command[0] == "map" else "hi", input=b"line\n")
    assert done.returncode == code, done.stderr
    assert len(proxy.requests) == attempts
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    text = done.stderr.decode()
    assert f"127.0.0.1:{proxy.port}" in text and "hunter2" not in text
    assert (f"HTTP {status}" if code == 68 else "user and password of the proxy") in text


@pytest.mark.parametrize(
    ("scheme", "status", "code", "kind"),
    [
        ("https", "401 Who", 68, "network"),
        ("https", "403 Forbidden", 68, "network"),
        ("https", "407 Proxy", 77, "auth"),
        ("http", "407 Proxy", 77, "auth"),
    ],
)
def test_a_refused_connect_ends_map_at_once(
    run: Run, endpoint: Endpoint, env: dict[str, str],
    status: str, code: int, kind: str, scheme: str,
) -> None:  # fmt: skip
    proxy = endpoint(error(status, {}, "Connection: close"))
    env["ALL_PROXY"] = f"http://127.0.0.1:{proxy.port}"
    env["LLMCLI_BASE_URL"] = f"{scheme}://far.invalid/v1"
    done = run("map", "--json", "-j", "4", "{}", input=lines(300))
    assert done.returncode == code, done.stderr
    assert len(proxy.requests) <= 4 + 4
    found = rows(done.stdout)
    assert found[0]["llmcli"]["kind"] == kind
    assert [one["status"] for one in found[0]["llmcli"]["attempts"]] == [int(status[:3])]
    (row,) = rows(run("ask", "--json", "hi").stdout)
    assert [one["status"] for one in row["llmcli"]["attempts"]] == [int(status[:3])]


def test_a_proxy_that_is_down_ends_map(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    """After as many attempts as where nothing listens: that the proxy replies is no success."""
    proxy = endpoint(error("502 Bad Gateway", {}, "Connection: close"))
    env |= {"ALL_PROXY": f"http://127.0.0.1:{proxy.port}"}
    env |= {"LLMCLI_BASE_URL": "https://far.invalid/v1"}
    done = run("map", "-j", "4", "--retries", "0", "{}", input=lines(300))
    assert done.returncode == 68, done.stderr
    assert len(proxy.requests) < 100

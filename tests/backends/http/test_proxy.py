"""Proxies: which requests go through one, and what is said of one that refuses."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from tests.support.endpoint import Script, Server, answer, in_turn, listening, serving
from tests.support.faults import error, raw
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
PLAIN = ("ask", "-q", "hi", "-m", "m", "--base-url", "http://far.invalid/v1", "--retries", "0")
SECURE = ("ask", "-q", "hi", "-m", "m", "--base-url", "https://far.invalid/v1", "--retries", "0")


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return env | {"NO_PROXY": "", "LLMCLI_ALLOW_HTTP": "1"}


def test_a_refused_proxy_whose_port_looks_like_a_status(run: Run, env: dict[str, str]) -> None:
    env["HTTP_PROXY"] = "http://127.0.0.1:14071"
    assert run(*PLAIN).returncode == 68
    env["HTTP_PROXY"] = "http://user:pr0#xySECRET@127.0.0.1:1"
    done = run(*PLAIN)
    assert done.returncode in (68, 78)
    assert b"pr0" not in done.stderr


def test_this_machine_is_asked_without_a_proxy(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("good"))
    env |= {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    assert run("ask", "hi").stdout == b"good\n"


def test_proxy_is_used_and_its_password_not_shown(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    proxy = endpoint(answer("ok"))
    env["HTTP_PROXY"] = f"http://user:hunter2@127.0.0.1:{proxy.port}"
    done = run(*PLAIN)
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert proxy.only.path == "http://far.invalid/v1/chat/completions"
    assert proxy.only.headers["proxy-authorization"] == "Basic dXNlcjpodW50ZXIy"
    env["HTTP_PROXY"] = "http://user:hunter2@127.0.0.1:1"
    done = run(*PLAIN)
    assert done.returncode == 68
    told = "the proxy for far.invalid cannot be reached at 127.0.0.1:1: Connection refused"
    assert told in one_line(done.stderr)
    assert b"hunter2" not in done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("password", ["", "user:hunter2@"])
def test_proxy_that_asks_for_a_password(
    run: Run, endpoint: Endpoint, env: dict[str, str], scheme: str, password: str
) -> None:
    proxy = endpoint(error("407 Proxy Authentication Required", {"error": "key refused"}))
    env["ALL_PROXY"] = f"http://{password}127.0.0.1:{proxy.port}"
    done = run(*(PLAIN if scheme == "http" else SECURE))
    assert done.returncode == 77
    line = one_line(done.stderr)
    told = "refuses the user and password" if password else "asks for a password"
    assert f"the proxy {told} (407 from 127.0.0.1:{proxy.port})" in line
    assert "LLMCLI_API_KEY" not in line and "hunter2" not in line


@pytest.mark.parametrize("password", ["", "user:hunter2@"])
def test_a_socks_proxy_that_asks_for_a_password(
    run: Run, env: dict[str, str], password: str
) -> None:
    def refuse(client: socket.socket) -> None:
        with client:
            client.recv(100)
            client.sendall(b"\x05\xff")  # RFC 1928: none of the offered methods will do

    with listening(refuse) as port:
        env["ALL_PROXY"] = f"socks5h://{password}127.0.0.1:{port}"
        done = run(*SECURE)
    assert done.returncode == 77, done.stderr
    line = one_line(done.stderr)
    assert f"password (127.0.0.1:{port})" in line
    assert "hunter2" not in line


def test_the_doctor_names_the_password_of_the_proxy(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    proxy = endpoint(error("407 Proxy Authentication Required", {}))
    env |= {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    env |= {"LLMCLI_BASE_URL": "https://far.invalid/v1", "LLMCLI_MODEL": "m"}
    done = run("config", "check")
    assert done.returncode == 77
    assert b"user and password of the proxy" in done.stdout + done.stderr


def test_a_proxy_that_answers_in_the_end(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    proxy = endpoint(in_turn(error("503 Busy", {}), answer("ok")))
    env["HTTP_PROXY"] = f"http://127.0.0.1:{proxy.port}"
    assert run(*PLAIN[:-1], "1").stdout == b"ok\n"


@pytest.mark.parametrize(
    ("script", "code", "says", "options"),
    [
        (raw(b""), 68, "closed the connection without an answer", ()),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), 76, "not HTTP", ()),
        (raw(b"", wait=True), 124, "far.invalid", ("--connect-timeout", "1")),
    ],
)
def test_a_proxy_that_does_not_answer_connect(
    run: Run, endpoint: Endpoint, env: dict[str, str],
    script: Script, code: int, says: str, options: tuple[str, ...],
) -> None:  # fmt: skip
    proxy = endpoint(script)
    env["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.port}"
    done = run(*SECURE, *options)
    assert done.returncode == code, done.stderr
    assert says in one_line(done.stderr)


def test_a_proxy_whose_name_is_unknown(run: Run, env: dict[str, str]) -> None:
    env["HTTPS_PROXY"] = "http://proxy.invalid:3128"
    done = run(*SECURE)
    assert done.returncode == 68
    assert "the proxy for far.invalid cannot be reached at proxy.invalid:3128" in one_line(
        done.stderr
    )


def test_a_proxy_that_speaks_no_tls(run: Run, env: dict[str, str]) -> None:
    def answer_in_clear(client: socket.socket) -> None:
        with client:
            client.recv(1000)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(answer_in_clear) as port:
        env["HTTPS_PROXY"] = f"https://user:hunter2@127.0.0.1:{port}"
        done = run(*SECURE)
    assert done.returncode == 76
    line = one_line(done.stderr)
    assert f"the proxy 127.0.0.1:{port}" in line and "is it http://?" in line


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tunnels(port: int, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that connects to `port` whatever is asked for, and the heads that it was sent."""
    heads: list[bytes] = []

    def relay(client: socket.socket) -> None:
        with suppress(OSError):
            if tls:
                client = tls.wrap_socket(client, server_side=True)
            with client, socket.create_connection(("127.0.0.1", port)) as upstream:
                heads.append(client.recv(65536))
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
                _pump(upstream, client)

    with listening(relay) as own:
        yield own, heads


def test_a_tunnel(run: Run, env: dict[str, str], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("far.invalid").configure_cert(tls)
    with serving(answer("ok"), tls) as server, tunnels(server.port) as (port, heads):
        env["HTTPS_PROXY"] = f"http://user:hunter2@127.0.0.1:{port}"
        done = run(*SECURE)
        assert done.returncode == 76
        assert "the certificate of far.invalid is not trusted" in one_line(done.stderr)
        env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
        done = run(*SECURE)
        assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr
        assert "proxy-authorization" not in server.only.headers
    assert heads[-1].startswith(b"CONNECT far.invalid:443 HTTP/1.")
    assert b"Basic dXNlcjpodW50ZXIy" in heads[-1] and b"Bearer" not in heads[-1]


def test_the_certificate_of_a_proxy(run: Run, env: dict[str, str], tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "far.invalid").configure_cert(tls)
    with serving(answer("ok"), tls) as server, tunnels(server.port, tls) as (port, _heads):
        env["HTTPS_PROXY"] = f"https://127.0.0.1:{port}"
        done = run(*SECURE)
        assert done.returncode == 76
        told = f"the certificate of the proxy 127.0.0.1:{port} is not trusted: "
        assert told in one_line(done.stderr)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
        done = run(*SECURE)
        assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr


@pytest.mark.parametrize(
    ("excluded", "direct"),
    [("far.invalid", True), (".invalid", True), ("invalid", True), ("*", True),
     ("far.invalid:80", True), ("far.invalid:443", False), (".far.invalid", False)],
)  # fmt: skip
def test_no_proxy(
    run: Run, endpoint: Endpoint, env: dict[str, str], excluded: str, direct: bool
) -> None:
    proxy = endpoint(answer("ok"))
    env |= {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": excluded}
    done = run(*PLAIN)
    assert (b"cannot resolve far.invalid" in done.stderr) == direct
    assert len(proxy.requests) == (not direct)


@pytest.mark.parametrize("url", [
    "http://user:SECRET@127.0.0.1:9/v1", "https://SECRET@host", "http://user:SEC#RET@host/",
    "http://user:SEC/RET@host/", "http://user:SEC?RET@host:80/", "user:SECRET@host/v1",
    "http://user:SECRET@[::1/", "ftp://user:SECRET@host",
])  # fmt: skip
def test_a_base_url_with_a_password(run: Run, env: dict[str, str], url: str) -> None:
    for command in (["ask", "-m", "m", "hi"], ["map", "-m", "m", "{}"], ["models"]):
        done = run(*command, "--base-url", url, input=b"x")
        assert done.returncode == 78, (command, done.stderr)
        assert b"SEC" not in done.stderr + done.stdout
    env |= {"LLMCLI_BASE_URL": url, "LLMCLI_MODEL": "m"}
    assert run("ask", "hi").returncode == 78
    for command in (["config", "show"], ["config", "check"]):
        done = run(*command)
        assert b"SEC" not in done.stdout + done.stderr

"""Connections that are refused, hang or are not trusted."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.endpoint import Request, Script, Server, Wire, serving
from tests.support.faults import HEAD, SOME, raw
from tests.support.program import KEY, Run, one_line

Endpoint = Callable[[Script], Server]


def good(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("ok")
    wire.finish()


def test_refused_is_tried_again(run: Run, endpoint: Endpoint) -> None:
    done = run("ask", "hi", "--base-url", "http://127.0.0.1:1/v1", "-m", "m", "--retries", "2")
    assert done.returncode == 68
    assert "cannot reach 127.0.0.1:1: Connection refused (3 attempts)" in one_line(done.stderr)


def test_unknown_host(run: Run) -> None:
    done = run("ask", "hi", "--base-url", "http://host.invalid", "-m", "m", "--retries", "0")
    assert done.returncode == 68
    assert "cannot resolve host.invalid" in one_line(done.stderr)


@pytest.fixture
def silent_dns(env: dict[str, str], home: Path) -> None:
    """Name resolution that hangs and cannot be interrupted."""
    (home / "sitecustomize.py").write_text(
        "import socket, sys, threading\n"
        "def getaddrinfo(host, port, *a, **k):\n"
        "    sys.audit('socket.getaddrinfo', host, port, 0, 0, 0)\n"
        "    threading.Event().wait()\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    env["PYTHONPATH"] = str(home)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--deadline", "4"), "deadline of 4 s reached: no answer from DNS for host.invalid"),
        (("--connect-timeout", "3"), "no answer from DNS for host.invalid for 3 s"),
    ],
)
def test_silent_dns(run: Run, silent_dns: None, options: tuple[str, str], says: str) -> None:
    done = run("ask", "hi", "--base-url", "http://host.invalid", "-m", "m", *options)
    assert done.returncode == 124
    assert says in one_line(done.stderr)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A listener whose queue is full: connections are neither accepted nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--deadline", "4"), "deadline of 4 s reached: no connection to 127.0.0.1"),
        (("--connect-timeout", "1"), "127.0.0.1"),
    ],
)
def test_full_accept_queue(run: Run, black_hole: str, options: tuple[str, str], says: str) -> None:
    done = run("ask", "hi", "--base-url", black_hole, "-m", "m", *options)
    assert done.returncode == 124
    assert says in one_line(done.stderr)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(tls)
    return tls


def test_tls(run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with serving(good, context(authority, "127.0.0.1")) as server:
        arguments = ("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
        done = run(*arguments)
        assert done.returncode == 76
        line = one_line(done.stderr)
        assert "the certificate of 127.0.0.1" in line and "is not trusted" in line
        assert "ca_file" in line and "REQUESTS_CA_BUNDLE" in line
        assert "verif" not in line.split(";")[1]
        assert server.requests == []
        for name in ("REQUESTS_CA_BUNDLE", "LLMCLI_CA_FILE"):
            assert run(*arguments, env={**env, name: str(bundle)}).stdout == b"ok\n"
        for name in ("REQUESTS_CA_BUNDLE", "LLMCLI_CA_FILE"):
            done = run(*arguments, env={**env, name: "/missing.pem"})
            assert done.returncode == 78
            assert "/missing.pem" in one_line(done.stderr)
        (tmp_path / "none.pem").write_text("no certificate")
        done = run(*arguments, env={**env, "LLMCLI_CA_FILE": str(tmp_path / "none.pem")})
        assert done.returncode == 78
        assert "cannot read CA certificates from" in one_line(done.stderr)
        assert len(server.requests) == 2


@pytest.mark.parametrize("secure", [False, True])
def test_who_answers_before_it_has_read_all(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path, secure: bool
) -> None:
    """What it says may be lost with the connection; what broke is not blamed on TLS."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    tls = context(authority, "127.0.0.1") if secure else None
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        threading.Thread(target=accept, daemon=True).start()
        url = f"http{'s' if secure else ''}://127.0.0.1:{listener.getsockname()[1]}"
        options = ("-m", "m", "--base-url", url, "--retries", "0")
        done = run("ask", *options, input=b"x" * 10_000_000)
        assert done.returncode in (80, 68), done.stderr
        assert "TLS" not in one_line(done.stderr)


def test_certificates_that_do_not_fit(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path
) -> None:
    import datetime

    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    past = datetime.datetime(2020, 1, 1)
    for tls, reason in (
        (context(authority, "other.invalid"), "127.0.0.1"),
        (context(authority, "127.0.0.1", not_after=past), "expired"),
    ):
        with serving(good, tls) as server:
            done = run("ask", "hi", "-m", "m", "--base-url", server.base_url)
        assert done.returncode == 76
        assert reason in one_line(done.stderr).partition("is not trusted")[2]


def test_tls_to_a_plain_port_and_the_reverse(run: Run, authority: trustme.CA) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=accept, daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        done = run("ask", "hi", "-m", "m", "--base-url", url)
    assert done.returncode == 76
    assert "is it http://?" in one_line(done.stderr)
    with serving(good, context(authority, "127.0.0.1")) as secure:
        url = secure.base_url.replace("https:", "http:")
        done = run("ask", "hi", "-m", "m", "--base-url", url, "--retries", "0")
    assert done.returncode in (76, 68)  # by the TLS library: an alert in clear, or a close
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("close", "code"), [(False, 124), (True, 68)])
def test_tls_handshake_that_stalls_or_closes(run: Run, close: bool, code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if not close:
                    connection.recv(1)

        threading.Thread(target=accept, daemon=True).start()
        options = ("--connect-timeout", "1", "--retries", "0")
        done = run("ask", "hi", "-m", "m", "--base-url", url, *options)
    assert done.returncode == code
    assert "127.0.0.1" in one_line(done.stderr)


def test_tls_cut_without_close_notify(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    with serving(raw(HEAD + b"\r\n" + SOME), context(authority, "127.0.0.1")) as server:
        done = run("ask", "hi", "-m", "m", "--base-url", server.base_url)
    assert (done.returncode, done.stdout) == (85, b"some")


@pytest.mark.parametrize("command", [("ask", "hi"), ("map", "-j", "2", "{}")])
def test_socks(run: Run, endpoint: Endpoint, env: dict[str, str], command: tuple[str, ...]) -> None:
    """RFC 1928: whoever is asked for, the endpoint of the test is behind it."""
    server = endpoint(good)
    asked: list[bytes] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)

    def relay(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", server.port)) as upstream:
            client.recv(100)
            client.sendall(b"\x05\x00")
            asked.append(client.recv(100))
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
            pump(upstream, client)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for _ in range(2):
                client, _ = listener.accept()
                threading.Thread(target=relay, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        del env["NO_PROXY"]
        env["ALL_PROXY"] = f"socks5h://127.0.0.1:{listener.getsockname()[1]}"
        options = ("-m", "m", "--base-url", "http://far.invalid/v1", "--retries", "0")
        done = run(*command, *options, input=b"line\n")
        assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr
    assert len(server.requests) == len(asked) == 1
    assert b"far.invalid" in asked[0]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1", "http://[::"])
def test_proxy_that_cannot_be_used(run: Run, env: dict[str, str], home: Path, proxy: str) -> None:
    (home / "sitecustomize.py").write_text("import sys\nsys.modules['socks'] = None\n")
    env |= {"PYTHONPATH": str(home), "NO_PROXY": "", "HTTPS_PROXY": proxy, "https_proxy": proxy}
    done = run("ask", "hi", "-m", "m", "--base-url", "https://far.invalid/v1", "--retries", "0")
    assert done.returncode == 78
    if "socks" in proxy:
        assert "pip install 'pysocks" in one_line(done.stderr)


def test_the_name_resolution_hook_is_silent_about_secrets(run: Run, endpoint: Endpoint) -> None:
    endpoint(good)
    assert KEY.encode() not in run("ask", "-v", "hi").stderr

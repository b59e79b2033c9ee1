"""Hosts of which one address works and another does not."""

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from llmcli.backends.http.wire import addresses
from tests.support.endpoint import answer, serving
from tests.support.full_queue import full_queue
from tests.support.program import Run, one_line


def resolving_to(env: dict[str, str], home: Path, *hosts: str) -> None:
    """Let `many.invalid` have these addresses in the programs that a test starts."""
    (home / "sitecustomize.py").write_text(
        "import socket\n"
        "right = socket.getaddrinfo\n"
        "def getaddrinfo(host, port, *rest, **named):\n"
        f"    hosts = {hosts!r} if host in (b'many.invalid', 'many.invalid') else (host,)\n"
        "    return [one for h in hosts for one in right(h, port, *rest, **named)]\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    env["PYTHONPATH"] = str(home)


@pytest.mark.parametrize("short", ["", "0"])
@pytest.mark.parametrize("command", [("ask", "hi"), ("map", "{}")])
def test_an_address_that_swallows_everything_is_passed_over(
    run: Run, env: dict[str, str], home: Path, short: str, command: tuple[str, ...]
) -> None:
    resolving_to(env, home, "127.0.0.2", "127.0.0.1")
    env["LLMCLI_SHORT"] = short
    with serving(answer("ok")) as server, full_queue("127.0.0.2", server.port):
        url = f"http://many.invalid:{server.port}/v1"
        done = run(*command, "-m", "m", "--base-url", url, "--retries", "0", input=b"a\n")
    assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr


@pytest.mark.parametrize("short", ["", "0"])
def test_an_address_that_refuses_is_passed_over(
    run: Run, env: dict[str, str], home: Path, short: str
) -> None:
    resolving_to(env, home, "127.0.0.2", "::1", "127.0.0.1")
    env["LLMCLI_SHORT"] = short
    with serving(answer("ok")) as server:
        url = f"http://many.invalid:{server.port}/v1"
        done = run("ask", "hi", "-m", "m", "--base-url", url, "--retries", "0")
        assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr
    done = run("ask", "hi", "-m", "m", "--base-url", url, "--retries", "0")
    assert done.returncode == 68
    assert "Connection refused" in one_line(done.stderr)


def test_silent_dns_ends_a_record(run: Run, env: dict[str, str], home: Path) -> None:
    (home / "sitecustomize.py").write_text(
        "import socket, threading\n"
        "right = socket.getaddrinfo\n"
        "def getaddrinfo(host, port, **named):\n"
        "    if named['flags'] == 0: threading.Event().wait()\n"
        "    return right(host, port, **named)\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    env["PYTHONPATH"] = str(home)
    options = ("-m", "m", "--base-url", "http://many.invalid/v1", "--retries", "0", "--json")
    done = run("map", "{}", *options, "--connect-timeout", "1", input=b"a\n")
    error = json.loads(done.stdout)["error"]["message"]
    assert "no answer from DNS for many.invalid for 1 s" in error


def test_families_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    given = [(six, 1), (six, 2), (six, 3), (four, 4)]
    assert addresses.alternating(given) == [(six, 1), (four, 4), (six, 2), (six, 3)]


def test_all_that_fail_end_with_the_error_of_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = [(socket.AF_INET, ("127.0.0.1", port))] * 3
    with pytest.raises(ConnectionRefusedError):
        addresses.first_connected(refused, lambda: 60)


def test_what_lost_the_race_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as good:
        address = (socket.AF_INET, good.getsockname())
        with closing(addresses.first_connected([address, address], lambda: 60)) as connection:
            assert connection.getpeername() == good.getsockname()
            assert connection.gettimeout() is None

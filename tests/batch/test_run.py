"""What ends a run of `map` before its input has ended, and with which exit code."""

import signal
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.echo import Echo, Handler, lines, rows
from tests.support.endpoint import listening
from tests.support.mapping import WINDOW, Process
from tests.support.program import KEY, PROGRAM, Run, one_line

# What a server says to every request: status, body, exit code.
FOR_ALL = {
    "key": (401, {"error": {"message": "no"}}, 77),
    "money": (402, {"error": {"message": "no"}}, 83),
    "quota": (429, {"error": {"message": "no", "code": "insufficient_quota"}}, 83),
    "model": (404, {"error": {"message": "no", "code": "model_not_found"}}, 81),
    "url": (404, {"detail": "Not Found"}, 76),
    "redirect": (301, {}, 76),
}


@pytest.mark.parametrize("name", FOR_ALL)
def test_what_would_fail_for_all_stops_it(run: Run, echo: Echo, name: str) -> None:
    status, body, code = FOR_ALL[name]

    def fault(handler: Handler, _text: str, _number: int) -> bool:
        handler.whole(status, body)
        return True

    echo.fault = fault
    done = run("map", "-j", "4", "{}", input=lines(1000))
    assert done.returncode == code, done.stderr
    assert len(echo.bodies) <= 4 + 4
    assert KEY.encode() not in done.stderr


@pytest.mark.parametrize("name", FOR_ALL)
def test_after_an_answer_only_key_and_money_stop_it(run: Run, echo: Echo, name: str) -> None:
    status, body, code = FOR_ALL[name]

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        if text in ("r0", "r9"):
            return None
        handler.whole(status, body)
        return True

    echo.fault = fault
    done = run("map", "--json", "-j", "1", "{}", input=lines(10))
    always = name in ("key", "money", "quota")
    assert done.returncode == (code if always else 3), done.stderr
    assert len(echo.bodies) == (2 if always else 10)


def test_a_certificate_that_is_not_trusted_ends_it(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    certificate = tmp_path / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += ["-keyout", str(certificate), "-out", str(tmp_path / "certificate")]
    subprocess.run(command, check=True, capture_output=True)
    with certificate.open("ab") as file:
        file.write((tmp_path / "certificate").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    connections = []

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True)

    with listening(serve) as port:
        env.update(LLMCLI_BASE_URL=f"https://127.0.0.1:{port}/v1", LLMCLI_MODEL="m")
        done = run("map", "-j", "4", "{}", input=lines(500))
    assert done.returncode == 76, done.stderr
    assert len(connections) <= 4 + 4


def test_a_refusal_for_all_is_acted_on_at_once(run: Run, echo: Echo) -> None:
    """Not only when the turn of its record comes."""

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        if text == "r1":
            return handler.refuse(401)
        time.sleep(0.8 if text == "r0" else 0.01)
        return None

    echo.fault = fault
    assert run("map", "-j", "4", "{}", input=lines(500)).returncode == 77
    assert len(echo.bodies) < 100


@pytest.mark.parametrize("number", [0, signal.SIGINT, signal.SIGTERM])
def test_an_input_that_says_nothing_is_not_waited_for(
    echo: Echo, env: dict[str, str], number: int
) -> None:
    if not number:
        echo.fault = lambda handler, _text, _n: handler.refuse(401)
    with Process(
        [PROGRAM, "map", "{}"],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout
        process.stdin.write(b"a\n")
        process.stdin.flush()
        if number:
            assert process.stdout.readline() == b"answer to a\n"
            process.send_signal(number)
        assert process.wait(120) == (-number or 77)


def test_an_endpoint_that_is_not_there_ends_it(run: Run, env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    env.update(LLMCLI_BASE_URL=f"http://127.0.0.1:{port}/v1", LLMCLI_MODEL="m")
    done = run("map", "--json", "--retries", "0", "{}", input=lines(2000))
    assert done.returncode == 68
    assert f"127.0.0.1:{port}" in one_line(done.stderr)
    assert len(rows(done.stdout)) <= 8 * WINDOW + 16


@pytest.mark.parametrize("count", [1, 5])
def test_a_short_input_whose_endpoint_nobody_reaches(run: Run, echo: Echo, count: int) -> None:
    options = ("--base-url", "http://127.0.0.1:1/v1", "--retries", "0")
    done = run("map", *options, "{}", input=lines(count))
    assert done.returncode == 68
    assert f"{count} failed ({count} network)" in one_line(done.stderr)


def test_a_reader_that_goes_ends_it(echo: Echo, env: dict[str, str]) -> None:
    many = lines(3000)
    with subprocess.Popen(
        [PROGRAM, "map", "{}"],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        try:
            process.stdin.write(many)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.wait(120) == -13
        assert process.stderr.read() == b""
    assert len(echo.bodies) < 3000


def test_a_full_disk_is_said(run: Run, echo: Echo) -> None:
    with open("/dev/full", "wb") as full:
        done = run("map", "{}", input=lines(10), stdout=full)
    assert done.returncode == 74
    assert "No space left on device" in one_line(done.stderr)


def test_what_could_not_be_written_is_not_done(run: Run, echo: Echo) -> None:
    with open("/dev/full", "wb") as full:
        done = run("map", "-j", "1", "{}", input=lines(4), stdout=full)
    assert done.returncode == 74
    assert "map: 0 done" in one_line(done.stderr)


@pytest.mark.parametrize("options", [[], ["-O", "out"]])
def test_nothing_answered_prints_no_empty_lines(
    run: Run, echo: Echo, tmp_path: Path, options: list[str]
) -> None:
    def output(count: int) -> bytes:
        done = run("map", *options, "{}", input=lines(count))
        assert done.returncode == 3
        return (tmp_path / "out").read_bytes() if options else done.stdout

    refused = {"r0", "r1", "r2"}

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        return handler.refuse(400) if text in refused else None

    echo.fault = fault
    assert output(3) == b""
    assert output(5) == b"\n\n\nanswer to r3\nanswer to r4\n"
    refused |= {"r4"}
    assert output(5) == b"\n\n\nanswer to r3\n\n"

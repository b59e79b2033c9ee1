"""The program among processes: pipes, descriptors, signals, terminals, whatever hangs."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer, chunk, listening, started
from tests.support.program import PROGRAM, Run, one_line, shell
from tests.support.terminals import on_a_terminal, read_all

Endpoint = Callable[[Script], Server]


def story(wire: Wire, _request: Request) -> None:
    """An answer that goes on for as long as it is listened to."""
    wire.head()
    while True:
        wire.text("and then\n" * 50)
        time.sleep(0.01)


@pytest.mark.parametrize("form", ["", "--events"])
def test_a_reader_that_has_enough_ends_it_in_silence(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, form: str
) -> None:
    endpoint(story)
    done = shell(env, f'"$0" ask -n hi {form} | head -1; exit ${{PIPESTATUS[0]}}', tmp_path)
    assert done.returncode == 128 + signal.SIGPIPE
    assert (len(done.stdout.splitlines()), done.stderr) == (1, b"")


def test_a_server_that_closes_early_is_not_taken_for_the_reader(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    """It answers while the large prompt is still being written, then closes: EPIPE on a socket."""

    def refuse(connection: socket.socket) -> None:
        with connection:
            connection.recv(1000)
            Wire(connection).reset()

    with listening(refuse) as port:
        url = f"http://127.0.0.1:{port}"
        done = run(
            *("ask", "-m", "m", "--base-url", url, "--retries", "0"), input=b"x" * 20_000_000
        )
        assert done.returncode == 68
        assert "closed the connection" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("redirect", "says"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
@pytest.mark.parametrize("form", ["", "--json", "--events", "--no-stream"])
def test_what_cannot_be_written_is_74_with_the_reason(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, redirect: str, says: str, form: str
) -> None:
    endpoint(answer("x"))
    done = shell(env, f'"$0" ask -n -q hi {form} {redirect}', tmp_path)
    assert done.returncode == 74
    assert f"write error: {says}" in one_line(done.stderr)


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
def test_other_streams_closed_do_no_harm(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, redirect: str
) -> None:
    endpoint(answer("x"))
    done = shell(env, f'"$0" ask hi </dev/null {redirect}', tmp_path)
    assert (done.returncode, done.stdout) == (0, b"x\n")


@pytest.mark.parametrize("redirect", [">&- 2>&-", "<&- >&- 2>&-"])
def test_all_streams_closed(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, redirect: str
) -> None:
    server = endpoint(answer("x"))
    assert shell(env, f'"$0" ask hi </dev/null {redirect}', tmp_path).returncode == 74
    assert server.requests == []  # nothing is paid for that cannot be written


@pytest.mark.parametrize("options", ["", "--no-stream"], ids=["in pieces", "at once"])
def test_a_full_disk_leaves_the_old_file(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, options: str
) -> None:
    (tmp_path / "out").write_text("old")
    endpoint(answer(*["x" * 1000] * 100))
    done = shell(env, f'ulimit -f 20; "$0" ask -n {options} -O out hi', tmp_path)
    assert done.returncode == 74
    assert "out: write error: File too large" in one_line(done.stderr)
    assert (tmp_path / "out").read_text() == "old"
    assert (tmp_path / "out.part").read_bytes().startswith(b"xxx")


def test_interrupt_typed_on_a_terminal(endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(started)
    with on_a_terminal([PROGRAM, "ask", "hi"], env) as (process, terminal):
        assert os.read(terminal, 4) == b"some"
        os.write(terminal, b"\x03")
        shown = read_all(terminal)
        assert process.wait(120) == -signal.SIGINT
    assert shown.replace(b"\r\n", b"") == b"^Cllmcli: ended by SIGINT; 4 chars kept"


def test_failure_on_a_terminal_has_a_line_of_its_own(
    endpoint: Endpoint, env: dict[str, str]
) -> None:
    def cut(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.event(chunk(None, delta={"reasoning": "hm"}))
        wire.text("some")
        wire.reset()

    endpoint(cut)
    with on_a_terminal([PROGRAM, "ask", "hi"], env) as (process, terminal):
        shown = read_all(terminal)
        assert process.wait(120) == 85
    assert (
        shown
        == b"hm\r\nsome\r\nllmcli: connection lost after 4 chars; partial answer kept on stdout\r\n"
    )


def test_no_colour_and_no_box_anywhere(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(answer("x"))
    for more in ({"FORCE_COLOR": "1"}, {"GITHUB_ACTIONS": "true"}, {"TERM": "dumb"}):
        for arguments in (("--help",), ("ask", "hi"), ("ask", "--bad"), ("config", "check")):
            done = run(*arguments, env={**env, **more})
            assert b"\x1b" not in done.stdout + done.stderr
            assert "─".encode() not in done.stdout + done.stderr


def test_files_are_private_whatever_the_umask(
    endpoint: Endpoint, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    endpoint(lambda wire, _: wire.json({"data": [{"id": "m"}]}))
    assert shell(env, 'umask 000; "$0" config check', tmp_path).returncode == 0
    written = list((home / ".cache").rglob("*.txt"))
    assert len(written) == 1
    assert written[0].stat().st_mode & 0o077 == 0
    assert written[0].parent.stat().st_mode & 0o077 == 0

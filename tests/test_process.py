"""The program among processes: pipes, descriptors, signals, terminals, whatever hangs."""

import os
import pty
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import PROGRAM, Run, one_line
from .fakes import Request, Script, Server, Wire, answer, chunk

Endpoint = Callable[[Script], Server]


def story(wire: Wire, _request: Request) -> None:
    """An answer that goes on for as long as it is listened to."""
    wire.head()
    while True:
        wire.text("and then\n" * 50)
        time.sleep(0.01)


def started(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("some")
    wire.receive()


def shell(env: dict[str, str], script: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", script, PROGRAM],
        env=env,
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=60,
    )


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
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    Wire(connection).reset()

        threading.Thread(target=refuse, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        done = run(
            *("ask", "-m", "m", "--base-url", url, "--retries", "0"), input=b"x" * 20_000_000
        )
        assert done.returncode == 68
        assert "closed the connection" in one_line(done.stderr)
        listener.shutdown(socket.SHUT_RDWR)


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


def test_a_full_disk_leaves_the_old_file(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("old")
    endpoint(answer(*["x" * 1000] * 100))
    done = shell(env, 'ulimit -f 20; "$0" ask -n -O out hi', tmp_path)
    assert done.returncode == 74
    assert "out: write error: File too large" in one_line(done.stderr)
    assert (tmp_path / "out").read_text() == "old"
    assert (tmp_path / "out.part").read_bytes().startswith(b"xxx")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("form", ["text", "file", "json", "events"])
def test_a_signal_ends_it_by_that_signal_and_cleans_up(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, number: signal.Signals, form: str
) -> None:
    server = endpoint(started)
    options = {"text": [], "file": ["-O", "out"], "json": ["--json"], "events": ["--events"]}[form]
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "hi", *options],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stderr
        if form == "text":
            assert os.read(process.stdout.fileno(), 100) == b"some"
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(30) == -number
        stdout, said = process.stdout.read(), process.stderr.read().decode()
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
    if form in ("json", "events"):
        assert f'"exit_code": {128 + number}'.encode() in stdout.splitlines()[-1]
    else:
        assert stdout == b""
    if number == signal.SIGINT:
        assert said == ""
    else:
        assert said.startswith(f"llmcli: ended by {number.name}") and said.count("\n") == 1


def test_ignored_signals_stay_ignored(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    """As nohup and background jobs want it."""

    def slow(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.text("some")
        time.sleep(0.7)
        wire.finish()

    endpoint(slow)
    script = 'trap "" HUP INT; "$0" ask -n -q hi & sleep 0.5; kill -HUP $!; kill -INT $!; wait $!'
    done = shell(env, script, tmp_path)
    assert (done.returncode, done.stdout) == (0, b"some\n")


@contextmanager
def on_a_terminal(
    arguments: list[str], env: dict[str, str]
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """llmcli with a terminal of its own, which ^C typed there reaches."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments],
        env=env,
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
        preexec_fn=lambda: _control(child),  # noqa: PLW1509  # two system calls, no lock
    ) as process:
        os.close(child)
        yield process, parent
    os.close(parent)


def _control(terminal: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def read_all(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:
            return shown
        if not block:
            return shown
        shown += block


def test_interrupt_typed_on_a_terminal(endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(started)
    with on_a_terminal(["ask", "hi"], env) as (process, terminal):
        assert os.read(terminal, 4) == b"some"
        os.write(terminal, b"\x03")
        shown = read_all(terminal)
        assert process.wait(30) == -signal.SIGINT
    # The terminal itself may drop the line end: ^C flushes what is on its way.
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
    with on_a_terminal(["ask", "hi"], env) as (process, terminal):
        shown = read_all(terminal)
        assert process.wait(30) == 85
    assert shown == b"hm\r\nsome\r\nllmcli: connection lost after 4 chars; partial answer kept\r\n"


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


# Whatever hangs, ^C ends it


def never(wire: Wire, _request: Request) -> None:
    wire.receive()


def slow_headers(wire: Wire, _request: Request) -> None:
    while True:
        wire.socket.sendall(b"H")
        time.sleep(0.05)


def comments(wire: Wire, _request: Request) -> None:
    wire.head()
    while True:
        wire.send(b": keep-alive\n\n")
        time.sleep(0.05)


@pytest.mark.parametrize("script", [never, slow_headers, comments, started])
def test_interrupt_while_the_server_hangs(
    endpoint: Endpoint, env: dict[str, str], script: Script
) -> None:
    server = endpoint(script)
    with subprocess.Popen([PROGRAM, "ask", "-n", "hi"], env=env, stdout=subprocess.DEVNULL) as run:
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == -signal.SIGINT


def test_interrupt_while_names_or_connections_hang(
    env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    (home / "sitecustomize.py").write_text(
        "import pathlib, socket, threading\n"
        "def hang(*a, **k):\n"
        f"    pathlib.Path({str(tmp_path)!r}, 'hangs').touch()\n"
        "    threading.Event().wait()\n"
        "socket.getaddrinfo = hang\n"
    )
    env["PYTHONPATH"] = str(home)
    arguments = ["ask", "-n", "hi", "-m", "m", "--base-url", "http://host.invalid"]
    with subprocess.Popen([PROGRAM, *arguments], env=env) as run:
        while not (tmp_path / "hangs").exists():
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == -signal.SIGINT


def test_interrupt_while_waiting_to_try_again(endpoint: Endpoint, env: dict[str, str]) -> None:
    server = endpoint(lambda wire, _: wire.json({"error": "x"}, "503 X", "Retry-After: 60"))
    with subprocess.Popen([PROGRAM, "ask", "-n", "hi"], env=env) as run:
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == -signal.SIGINT

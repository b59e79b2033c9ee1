"""Signals end it by that signal, whatever it waits for."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.cli import main
from llmcli.errors import Interrupted
from llmcli.system.environment import Environment
from llmcli.system.signals import is_importing
from tests.support.endpoint import Request, Script, Server, Wire, comments, slow_headers, started
from tests.support.program import PROGRAM, shell
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]


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
        wait_until(lambda: server.requests)
        if form == "text":
            assert os.read(process.stdout.fileno(), 100) == b"some"
        if form == "file":
            wait_until(lambda: any(p.read_bytes() == b"some" for p in tmp_path.glob("*.part")))
        if form == "events":
            assert b'"start"' in process.stdout.readline()
            assert b'"some"' in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(120) == -number
        stdout, said = process.stdout.read(), process.stderr.read().decode()
    left = {path.name: path for path in tmp_path.iterdir() if path.name != "home"}
    assert list(left) == (["out.part"] if form == "file" else [])
    if form == "file":
        assert left["out.part"].read_text() == "some"
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

    def answer(wire: Wire, _request: Request) -> None:
        (tmp_path / "asked").touch()
        wire.head()
        wire.text("some")
        wait_until((tmp_path / "signalled").exists)
        wire.finish()

    endpoint(answer)
    script = """
        trap "" HUP INT
        "$0" ask -n -q hi &
        until test -e asked; do sleep 0.01; done
        kill -HUP $!; kill -INT $!; touch signalled; wait $!
    """
    done = shell(env, script, tmp_path)
    assert (done.returncode, done.stdout) == (0, b"some\n")


def never(wire: Wire, _request: Request) -> None:
    wire.receive()


@pytest.mark.parametrize("script", [never, slow_headers, comments, started])
def test_interrupt_while_the_server_hangs(
    endpoint: Endpoint, env: dict[str, str], script: Script
) -> None:
    server = endpoint(script)
    with subprocess.Popen([PROGRAM, "ask", "-n", "hi"], env=env, stdout=subprocess.PIPE) as run:
        wait_until(lambda: server.requests)
        if script is started:
            assert run.stdout and run.stdout.read(4) == b"some"
        run.send_signal(signal.SIGINT)
        assert run.wait(120) == -signal.SIGINT


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
        wait_until((tmp_path / "hangs").exists)
        run.send_signal(signal.SIGINT)
        assert run.wait(120) == -signal.SIGINT


def test_interrupt_while_waiting_to_try_again(endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(lambda wire, _: wire.json({"error": "x"}, "503 X", "Retry-After: 100"))
    command = [PROGRAM, "ask", "-n", "-v", "hi"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as run:
        assert run.stderr
        while b"trying again in 100.0 s" not in (line := run.stderr.readline()):
            assert line  # else it has ended
        run.send_signal(signal.SIGINT)
        assert run.wait(120) == -signal.SIGINT


_WHILE_IMPORTING = """
import time, traceback
from llmcli.system.environment import Environment
from llmcli.system.signals import is_importing
from llmcli.errors import LlmcliError, Interrupted
environment = Environment.of_process()
environment.start_deadline(100)
importing = "<frozen importlib._bootstrap>"
inside = "import signal; signal.raise_signal({number})"
try:
    exec(compile(inside, importing, "exec"))
    time.sleep(100)
except (LlmcliError, Interrupted) as error:
    frames = traceback.extract_tb(error.__traceback__)
    amid = any(frame.filename == importing for frame in frames)
    print("lost" if amid else "ended:", error)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGALRM], ids=["signal", "deadline"])
def test_a_signal_amid_an_import_is_not_lost(number: signal.Signals) -> None:
    """The import system swallows what is raised in its callbacks."""
    script = _WHILE_IMPORTING.format(number=int(number))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    assert done.stdout.startswith(b"ended: "), done.stderr


def test_a_signal_while_the_first_one_waits_for_the_import_waits_as_well() -> None:
    """The timer that sends the first one again may ring before it is quite started."""

    def called_from(filename: str, inner: Callable[[], Any]) -> Callable[[], Any]:
        names: dict[str, Any] = {"inner": inner}
        exec(compile("def outer(): return inner()", filename, "exec"), names)
        outer: Callable[[], Any] = names["outer"]
        return outer

    frame = called_from(threading.__file__, called_from(threading.__file__, sys._getframe))
    assert is_importing(called_from("<frozen importlib._bootstrap>", frame)())
    assert not is_importing(called_from("main.py", frame)())


def test_a_signal_while_a_class_is_made_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made:
        def __set_name__(self, *_: object) -> None:
            raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(main, "run_command", lambda *_: type("Class", (), {"made": Made()}))
    with pytest.raises(Interrupted):
        main._guarded([], Environment({}))

"""The standard streams: a reader that blocks or goes away, a stdout that cannot be written."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire
from tests.support.program import PROGRAM

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]


def flood(wire: Wire, _request: Request) -> None:
    """More than any pipe holds, then silence."""
    wire.head()
    wire.text("x" * 200_000)
    wire.receive()


@pytest.fixture
def full_pipe() -> Any:
    """The writing end of a pipe that nobody reads and that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 65536)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("form", [(), ("--json",), ("--events",)])
@pytest.mark.parametrize("end", ["deadline", "term", "int"])
def test_a_blocked_reader_does_not_keep_it(
    endpoint: Endpoint, env: dict[str, str], full_pipe: int, form: tuple[str, ...], end: str
) -> None:
    server = endpoint(flood)
    arguments = ["ask", "-n", "hi", *form, *(["--deadline", "1"] if end == "deadline" else [])]
    with subprocess.Popen(
        [PROGRAM, *arguments], env=env, stdout=full_pipe, stderr=full_pipe
    ) as run:
        if end != "deadline":
            while not server.requests and "--events" not in form:
                time.sleep(0.01)
            time.sleep(0.5)
            run.send_signal(signal.SIGTERM if end == "term" else signal.SIGINT)
        code = run.wait(60)
    assert code == {"deadline": 124, "term": -signal.SIGTERM, "int": -signal.SIGINT}[end]


@pytest.mark.parametrize("command", ["--help", "ask --help", "config path", "config show"])
def test_whatever_is_printed_is_checked(env: dict[str, str], command: str) -> None:
    def shell(redirect: str) -> int:
        script = f'"$0" {command} {redirect}; exit ${{PIPESTATUS[0]}}'
        return subprocess.run(
            ["bash", "-c", script, PROGRAM], env=env, capture_output=True, check=False
        ).returncode

    assert shell("> /dev/full") == 74
    assert shell(">&-") == 74
    assert shell("| sleep 0") in (0, 141)


def test_interrupt_during_start_up_is_silent(env: dict[str, str]) -> None:
    for delay in (0.03, 0.05, 0.08, 0.12):
        with subprocess.Popen(
            [PROGRAM, "ask", "-", "hi"], env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            assert process.wait(120) != 0
            assert process.stderr
            said = process.stderr.read()
        # Before the first line of ours runs Python itself answers, as it likes.
        assert b"llmcli/" not in said, said

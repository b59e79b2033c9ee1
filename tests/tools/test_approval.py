"""Calls of tools that somebody at the terminal is asked about first."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import call_weather, results
from tests.support.endpoint import Request, Script, Server, Wire, answer, calling, in_turn
from tests.support.program import PROGRAM, Tools
from tests.support.terminals import on_a_terminal, read_all, read_until
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]


def test_type_ahead_is_no_approval_and_the_question_is_one_line(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    typed = threading.Event()

    def slow(wire: Wire, request: Request) -> None:
        assert typed.wait(120)
        arguments = '{"cmd": "rm -rf /"' + "\n" * 60 + ', "x": 1}'
        calling(("c1", "own", arguments))(wire, request)

    server = endpoint(in_turn(slow, answer("x")))
    command = [PROGRAM, "ask", "-n", *tools(own="touch ran"), "--approve", "Q"]
    with on_a_terminal(command, env, tmp_path) as (process, terminal):
        wait_until(lambda: server.requests)
        os.write(terminal, b"y\n")
        read_until(terminal, b"y\r\n")  # the terminal has it
        typed.set()
        shown = read_until(terminal, b"[y/N] ")
        assert b'run own {"cmd": "rm -rf /", "x": 1}? [y/N] ' in shown
        assert not (tmp_path / "ran").exists()
        os.write(terminal, b"n\n")
        read_all(terminal)
        assert process.wait(120) == 0
    assert results(server) == ["error: this call was not allowed"]


@pytest.mark.parametrize(("typed", "told"), [(b"y\n", "sunny"), (b"n\n", None), (b"\n", None)])
def test_approval_is_asked_at_the_terminal(
    endpoint: Endpoint,
    env: dict[str, str],
    tools: Tools,
    tmp_path: Path,
    typed: bytes,
    told: str | None,
) -> None:
    server = endpoint(in_turn(call_weather, answer("x")))
    command = [PROGRAM, "ask", "-n", *tools(weather="echo sunny"), "--approve", "Q"]
    with on_a_terminal(command, env, tmp_path) as (process, terminal):
        shown = b""
        while b"[y/N] " not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, typed)
        while process.poll() is None:
            try:
                os.read(terminal, 1000)
            except OSError:
                break
        assert process.wait(120) == 0
    assert b'llmcli: run weather {"city": "Oslo"}? [y/N] ' in shown
    assert results(server) == [told or "error: this call was not allowed"]


def test_approval_without_a_terminal_denies(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    server = endpoint(in_turn(call_weather, answer("x")))
    command = [PROGRAM, "ask", "-n", *tools(weather="touch ran"), "--approve", "Q"]
    subprocess.run(command, env=env, cwd=tmp_path, start_new_session=True, check=True)
    assert results(server) == ["error: this call was not allowed"]
    assert not (tmp_path / "ran").exists()

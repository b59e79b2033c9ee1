"""A first signal lets what is in flight end; a second ends the run at once."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import gone
from tests.support.echo import Echo, Handler, lines
from tests.support.endpoint import chunk
from tests.support.mapping import Process, rows_in, start
from tests.support.money import records
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all, read_until
from tests.support.waiting import wait_until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_lets_what_is_in_flight_end(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    echo.wait = 0.2
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "--json", "-j", "4", "-O", "out")
    echo.wait_for(6)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == -number
    asked = len(echo.bodies)
    assert asked < 60
    assert len(rows_in(tmp_path / "out")) == asked
    if number == signal.SIGTERM:
        assert f"{asked} done" in one_line(stderr) and "--resume" in one_line(stderr)
    echo.wait = 0
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(100)).returncode == 0
    assert len(echo.bodies) == 100


def test_a_second_signal_ends_at_once(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.hold()
    (tmp_path / "in").write_bytes(lines(100))
    with on_a_terminal(in_the_shell("map -j 4 '{}' < in > out"), env, tmp_path) as (
        process,
        terminal,
    ):
        echo.wait_for(4)
        end_by_a_second_signal(process, terminal, signal.SIGINT)
    assert len(echo.bodies) == 4


def in_the_shell(command: str) -> list[str]:
    return ["bash", "-c", f"exec {PROGRAM} {command}"]


def end_by_a_second_signal(
    process: "subprocess.Popen[bytes]", terminal: int, number: signal.Signals
) -> bytes:
    """What is on the terminal, where it says that the first has come."""
    process.send_signal(number)
    shown = read_until(terminal, b"ends at once")
    time.sleep(0.3)  # signals within 0.2 s are one
    assert process.poll() is None
    process.send_signal(number)
    shown += read_all(terminal)
    assert process.wait(120) == -number
    return shown


def test_a_signal_while_all_wait_to_try_again(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """Long before the time at which they would."""

    def fault(handler: Handler, _text: str, _number: int) -> bool:
        echo.released.wait()
        return handler.refuse(429, Retry_After="119")

    echo.fault = fault
    echo.hold()
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-v", "-j", "4")
    assert process.stderr
    # After the first refusal no other request would leave.
    echo.wait_for(4)
    echo.release()
    waiting = 0
    while waiting < 4:
        line = process.stderr.readline()
        assert line
        waiting += b"trying again in 119" in line
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT


def test_a_signal_twice_at_the_same_time_is_one(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """timeout(1) sends it to the process, and then to its group. The same signal twice could be
    one to the system already, two of them cannot; a stopped process gets both at once."""
    echo.hold()
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        process.send_signal(number)
    echo.release()
    stdout, _ = process.communicate(timeout=120)
    assert process.returncode in (-signal.SIGINT, -signal.SIGTERM)
    assert len(stdout.splitlines()) == len(echo.bodies)


def test_what_waits_for_its_turn_is_shown_at_a_forced_end(
    echo: Echo, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    echo.hold("r1")
    (tmp_path / "in").write_bytes(lines(9))
    with on_a_terminal(in_the_shell("map -j 4 '{}' < in > out"), env, tmp_path) as (
        process,
        terminal,
    ):
        wait_until(lambda: len(records(home)) == 8)
        shown = end_by_a_second_signal(process, terminal, signal.SIGTERM)
    expected = ["" if n == 1 else f"answer to r{n}" for n in range(9)]
    assert (tmp_path / "out").read_text().splitlines() == expected
    assert b"8 done" in shown


def test_under_timeout_nothing_of_what_was_asked_is_lost(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """SIGALRM is how timeout(1) learns that the time is over. The run is stopped until then, so
    that both of its signals come at the same time; timeout(1) has it go on."""
    echo.hold()
    (tmp_path / "in").write_bytes(lines(100))
    script = f"echo $$ > pid.tmp; mv pid.tmp pid; exec {PROGRAM} map -j 4 --json -O out '{{}}' < in"
    with Process(["timeout", "100", "bash", "-c", script], env=env, cwd=tmp_path) as process:
        echo.wait_for(4)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGSTOP)
        process.send_signal(signal.SIGALRM)
        echo.release()
        assert process.wait(120) == 124
    assert len(rows_in(tmp_path / "out")) == len(echo.bodies) > 0


def test_no_tool_outlives_a_second_signal(
    echo: Echo, env: dict[str, str], tools: Any, tmp_path: Path
) -> None:
    def call(handler: Handler, _text: str, _number: int) -> bool:
        function = {"name": "slow", "arguments": "{}"}
        message = {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}
        handler.whole(200, chunk(None, message=message, finish_reason="tool_calls"))
        return True

    echo.fault = call
    options = shlex.join(tools(slow="echo $$ > pid.$$; sleep 65"))
    (tmp_path / "in").write_bytes(lines(10))
    command = in_the_shell(f"map -j 3 {options} '{{}}' < in > out")
    with on_a_terminal(command, env, tmp_path) as (process, terminal):
        wait_until(lambda: len(list(tmp_path.glob("pid.*"))) == 3)
        end_by_a_second_signal(process, terminal, signal.SIGINT)
    for path in tmp_path.glob("pid.*"):
        assert gone(int(path.suffix[1:]))

"""Tools that are not let run to their end: by a signal, a second one, or the deadline."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import call_weather, gone, kept
from tests.support.endpoint import Script, Server, calling
from tests.support.program import PROGRAM, Tools, one_line
from tests.support.waiting import reach_deadline, wait_until

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_tools_with_their_children(
    endpoint: Endpoint,
    env: dict[str, str],
    home: Path,
    tools: Tools,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    endpoint(call_weather)
    script = "sh -c 'sleep 62; true' & echo $! > child.tmp; mv child.tmp child; wait"
    options = tools(weather=script)
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "--session", "s", *options, "Q"], env=env, cwd=tmp_path
    ) as process:
        wait_until((tmp_path / "child").exists)
        process.send_signal(number)
        assert process.wait(120) == -number
    assert gone(int((tmp_path / "child").read_text()))
    assert kept(home, "s")[0]["incomplete"] == "interrupted"


@pytest.mark.parametrize("after", [0.0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008])
def test_a_signal_while_tools_start_leaves_none(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path, after: float
) -> None:
    """Some are running and some about to: none is left that nobody knows of."""
    endpoint(calling(*((f"c{n}", "slow", {}) for n in range(8))))
    options = tools(slow="echo $$ > pid.$$; exec sleep 64")
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "-q", *options, "Q"], env=env, cwd=tmp_path
    ) as process:
        while not list(tmp_path.glob("pid.*")):
            pass
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == -signal.SIGINT
    for path in tmp_path.glob("pid.*"):
        assert gone(int(path.suffix[1:]))


def test_the_deadline_ends_the_tools(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    endpoint(call_weather)
    options = tools(weather="echo $$ > pid.tmp; mv pid.tmp pid; sleep 300")
    command = [PROGRAM, "ask", "-n", "-q", *options, "--deadline", "100", "Q"]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_until((tmp_path / "pid").exists)
        reach_deadline(process)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 124
    assert "deadline of 100 s reached: a tool has not ended" in one_line(stderr)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_leave_no_tool(
    endpoint: Endpoint,
    env: dict[str, str],
    tools: Tools,
    tmp_path: Path,
    first: signal.Signals,
    second: signal.Signals,
) -> None:
    endpoint(calling(("c1", "slow", {})))
    options = tools(
        slow="trap '' TERM; echo $$ > pid.tmp; mv pid.tmp pid; sleep 65 & wait; sleep 65"
    )
    with subprocess.Popen([PROGRAM, "ask", "-n", *options, "Q"], env=env, cwd=tmp_path) as process:
        wait_until((tmp_path / "pid").exists)
        process.send_signal(first)
        time.sleep(0.06)  # within the moment that the tools are given to end
        process.send_signal(second)
        assert process.wait(120) in (-first, -second)
    assert gone(int((tmp_path / "pid").read_text()))

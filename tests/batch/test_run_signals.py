"""A first signal lets what is in flight end; a second ends the run at once."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import gone
from tests.support.echo import Echo, Handler, lines
from tests.support.endpoint import chunk
from tests.support.mapping import rows_in, start
from tests.support.program import PROGRAM, Run, one_line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_lets_what_is_in_flight_end(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    echo.wait = 0.5
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "--json", "-j", "4", "-O", "out")
    echo.wait_for(6)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == -number
    asked = len(echo.bodies)
    assert asked < 20
    assert len(rows_in(tmp_path / "out")) == asked
    if number == signal.SIGTERM:
        assert f"{asked} done" in one_line(stderr) and "--resume" in one_line(stderr)
    echo.wait = 0
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(100)).returncode == 0
    assert len(echo.bodies) == 100


def test_a_second_signal_ends_at_once(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.wait = 60
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    process.communicate()


def test_a_signal_while_all_wait_to_try_again(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(429, Retry_After="60")
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    process.communicate()


def test_a_signal_twice_at_the_same_time_is_one(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """timeout(1) sends it to the process, and then to its group."""
    echo.wait = 0.5
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert len(stdout.splitlines()) == len(echo.bodies)


def test_what_waits_for_its_turn_is_shown_at_a_forced_end(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.fault = lambda _handler, text, _n: text == "r1" and time.sleep(60)  # type: ignore[func-returns-value]
    (tmp_path / "in").write_bytes(lines(9))
    process = start(env, tmp_path, "-j", "4")
    while len(echo.bodies) < 9 or echo.running > 1:
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    expected = ["" if n == 1 else f"answer to r{n}" for n in range(9)]
    assert stdout.decode().splitlines() == expected
    assert "8 done" in one_line(stderr)


def test_under_timeout_nothing_of_what_was_asked_is_lost(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.wait = 0.5
    (tmp_path / "in").write_bytes(lines(100))
    command = f"timeout 5 {PROGRAM} map -j 4 --json -O out '{{}}' < in"
    done = subprocess.run(["bash", "-c", command], env=env, cwd=tmp_path, check=False)
    assert done.returncode == 124
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
    options = tools(slow="echo $$ > pid.$$; sleep 65")
    (tmp_path / "in").write_bytes(lines(10))
    with (
        open(tmp_path / "in", "rb") as stdin,
        subprocess.Popen(
            [PROGRAM, "map", "-q", "-j", "3", *options, "{}"], env=env, cwd=tmp_path, stdin=stdin
        ) as process,
    ):
        while len(list(tmp_path.glob("pid.*"))) < 3:
            time.sleep(0.01)
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:  # two at once may be one
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        assert process.wait(1) == -signal.SIGINT
    for path in tmp_path.glob("pid.*"):
        assert gone(int(path.suffix[1:]))

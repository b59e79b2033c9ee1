"""How fast `map` asks: waits that all workers share, few retries, limits by the minute."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.batch.rate_limit import Pace, Stopped
from tests.support.echo import Echo, Handler, lines
from tests.support.mapping import WINDOW, Process, start
from tests.support.program import PROGRAM, Run, one_line


def test_retry_after_slows_all_together(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    """Of eight requests the first is told to wait; once that is known the others are answered."""
    echo.hold(*(f"r{n}" for n in range(1, 40)))
    told: list[float] = []

    def fault(handler: Handler, text: str, number: int) -> bool | None:
        if text != "r0" or number:
            return None
        echo.wait_for(8)
        told.append(time.monotonic())
        return handler.refuse(429, Retry_After="1")

    echo.fault = fault
    (tmp_path / "in").write_bytes(lines(40))
    process = start(env, tmp_path, "-v", "-j", "8")
    assert process.stderr
    while b"trying again" not in (line := process.stderr.readline()):
        assert line
    echo.release()
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(echo.bodies) == 41
    assert [at for at in echo.times if at > told[0]] == echo.times[8:]
    assert min(echo.times[8:]) >= told[0] + 1


def test_a_server_that_turns_all_away_at_first(run: Run, echo: Echo) -> None:
    """Who was told when to come is no retry of a failure: none of them is lost."""
    turned_away = [f"r{n}" for n in range(16)]

    def fault(handler: Handler, text: str, number: int) -> bool | None:
        early = text in turned_away and not number
        return handler.refuse(429, Retry_After="1") if early else None

    echo.fault = fault
    done = run("map", "-j", "16", "{}", input=lines(20))
    assert done.returncode == 0, done.stderr
    assert len(echo.bodies) == 36


@pytest.mark.parametrize("status", [500, 503, 429])
def test_retries_keep_to_a_tenth(run: Run, echo: Echo, status: int) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(status)
    done = run("map", "-j", "32", "--retries", "1", "{}", input=lines(100))
    assert done.returncode == 3
    assert 100 <= len(echo.bodies) <= 110


def test_a_few_failures_are_tried_again(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, n: (
        handler.refuse(500) if text in ("r1", "r2") and not n else None
    )
    done = run("map", "{}", input=lines(5))
    assert done.returncode == 0, done.stderr
    assert len(echo.bodies) == 7


def test_a_wait_beyond_patience_ends_it(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(429, Retry_After="3600")
    done = run("map", "-j", "4", "{}", input=lines(1000))
    assert done.returncode == 75
    assert len(echo.bodies) <= 4 * WINDOW
    assert "try again in 3600 s" in one_line(done.stderr)


def test_requests_a_minute(run: Run, echo: Echo) -> None:
    begun = time.monotonic()
    assert run("map", "--rpm", "600", "-j", "8", "{}", input=lines(10)).returncode == 0
    # Its first request has left after `begun`, each other one 0.1 s after the one before.
    assert all(at > begun + 0.1 * n for n, at in enumerate(sorted(echo.times)))


def test_requests_that_waited_for_money_keep_to_a_minute_too(
    echo: Echo, env: dict[str, str], config: Callable[[str], Path]
) -> None:
    """The first sets nearly all aside, and the others go out once it is settled."""
    config("prices.m = { prompt = 1000.0, completion = 1000.0 }")
    big = "y" * 2000
    echo.hold(big)
    limits = ("--rpm", "960", "--max-cost", "2.25", "--max-tokens", "5", "-j", "14")
    with Process(
        [PROGRAM, "map", *limits, "{}"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        process.stdin.write(big.encode() + b"\n")
        process.stdin.flush()
        echo.wait_for(1)
        process.stdin.write(lines(12))
        process.stdin.close()
        time.sleep(0.6)  # for turns that would be kept for when there is money
        ended = time.monotonic()
        echo.release()
        assert process.wait(120) == 0
    late = sorted(at for at in echo.times if at > ended)
    assert len(late) == 12
    # None has left before the first was settled, and each 1/16 s after the one before.
    assert all(at >= ended + n / 16 for n, at in enumerate(late))


def test_tokens_a_minute_are_never_exceeded() -> None:
    """By the clock of the pace itself: what is reserved is within the limit at any time."""
    pace = Pace(4, tpm=100)
    with pace.turn(60) as started:
        pass
    pace.settle(started, 60, 30)
    with pace.turn(70):
        pass
    ended: list[bool] = []

    def wait() -> None:
        try:
            with pace.turn(1):
                ended.append(True)
        except Stopped:
            ended.append(False)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    pace.stop()
    thread.join(60)
    assert ended == [False]


def test_overload_halves_what_is_asked_at_once_and_success_raises_it() -> None:
    pace = Pace(16)

    def at_once(expected: int) -> int:
        turns: list[Any] = []
        entered: list[int] = []

        def enter() -> None:
            turn = pace.turn()
            turn.__enter__()
            turns.append(turn)
            entered.append(1)

        threads = [threading.Thread(target=enter, daemon=True) for _ in range(16)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while len(entered) < expected and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)  # for more than that
        count = len(entered)
        while len(entered) < 16 or turns:
            if turns:
                turns.pop().__exit__(None, None, None)
            time.sleep(0.001)
        return count

    assert at_once(16) == 16
    started = time.monotonic()
    for _ in range(5):  # all of them met the same overload
        pace.overloaded(started, None)
    assert at_once(8) == 8
    for _ in range(200):
        pace.succeeded()
    assert at_once(16) == 16

"""How fast `map` asks: waits that all workers share, few retries, limits by the minute."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.batch.rate_limit import Pace, Stopped
from tests.support.echo import Echo, Handler, lines
from tests.support.program import Run, one_line


def test_retry_after_slows_all_together(run: Run, echo: Echo) -> None:
    told: list[float] = []

    def fault(handler: Handler, _text: str, _number: int) -> bool | None:
        with echo.lock:
            first = not told
            if first:
                told.append(time.monotonic())
        if first:
            return handler.refuse(429, Retry_After="2")
        time.sleep(0.1)
        return None

    echo.fault = fault
    done = run("map", "-j", "8", "{}", input=lines(40))
    assert done.returncode == 0, done.stderr
    assert len(echo.bodies) == 41
    waited = [t for t in echo.times if told[0] + 0.7 < t < told[0] + 1.8]
    assert not waited


def test_a_server_that_turns_all_away_at_first(run: Run, echo: Echo) -> None:
    """Who was told when to come is no retry of a failure: none of them is lost."""
    begun = time.monotonic()

    def fault(handler: Handler, _text: str, _number: int) -> bool | None:
        early = time.monotonic() < begun + 1
        return handler.refuse(429, Retry_After="1") if early else None

    echo.fault = fault
    done = run("map", "-j", "16", "{}", input=lines(20))
    assert done.returncode == 0, done.stderr
    assert len(echo.bodies) <= 36


@pytest.mark.parametrize("status", [500, 503, 429])
def test_retries_keep_to_a_tenth(run: Run, echo: Echo, status: int) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(status)
    done = run("map", "-j", "32", "{}", input=lines(100))
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
    done = run("map", "-j", "4", "{}", input=lines(200))
    assert done.returncode == 75
    assert len(echo.bodies) <= 60
    assert "try again in 3600 s" in one_line(done.stderr)


def test_requests_a_minute(run: Run, echo: Echo) -> None:
    begun = time.monotonic()
    assert run("map", "--rpm", "600", "-j", "8", "{}", input=lines(10)).returncode == 0
    assert time.monotonic() - begun > 0.9
    gaps = [b - a for a, b in zip(sorted(echo.times), sorted(echo.times)[1:], strict=False)]
    assert sum(gaps) > 0.8


def test_requests_that_waited_for_money_keep_to_a_minute_too(
    run: Run, echo: Echo, config: Callable[[str], Path]
) -> None:
    """The first sets nearly all aside, and the others go out once it is settled."""
    config("prices.m = { prompt = 1000.0, completion = 1000.0 }")
    big = "y" * 2000
    ended: list[float] = []

    def fault(_handler: Handler, text: str, _number: int) -> None:
        if text == big:
            time.sleep(2)
            ended.append(time.monotonic())

    echo.fault = fault
    limits = ("--rpm", "240", "--max-cost", "2.25", "--max-tokens", "5", "-j", "14")
    done = run("map", *limits, "{}", input=big.encode() + b"\n" + lines(12))
    assert done.returncode == 0, done.stderr
    late = [at for at in sorted(echo.times) if at > ended[0]]
    assert len(late) > 6
    assert late[-1] - late[0] > (len(late) - 1) * 0.25 / 2


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
    thread.join(10)
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
        until = time.monotonic() + 20
        while len(entered) < expected and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)  # for more than that
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

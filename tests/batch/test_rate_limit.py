"""How fast `map` asks: waits that all workers share, few retries, limits by the minute."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmcli.batch.pace.rate_limit import Pace, Stopped
from tests.support.echo import Echo, Handler, lines, rows
from tests.support.limiters import Bucket, Locked, SinceFirst
from tests.support.mapping import WINDOW, Process, start
from tests.support.program import PROGRAM, Run, one_line
from tests.support.waiting import wait_until


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


def test_retries_keep_to_a_tenth(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(500)
    done = run("map", "-j", "32", "--retries", "1", "{}", input=lines(100))
    assert done.returncode == 3
    assert 100 <= len(echo.bodies) <= 110


@pytest.mark.parametrize("status", [429, 503])
def test_later_without_a_time_is_asked_again(run: Run, echo: Echo, status: int) -> None:
    """A limit as that of nginx: one retry, or none that is left, must not lose a record."""
    limit = Locked(Bucket(rate=40, burst=2))
    echo.fault = lambda handler, _text, _n: limit.refuses() and handler.refuse(status)
    done = run("map", "--json", "--retries", "1", "{}", input=lines(60))
    assert done.returncode == 0, done.stderr
    assert len(rows(done.stdout)) == 60
    assert any(len(row["llmcli"]["attempts"]) > 2 for row in rows(done.stdout))


def test_a_count_for_each_window(run: Run, echo: Echo) -> None:
    """A limit as LiteLLM's: it names no time, and many come in vain before its window ends."""
    limit = Locked(SinceFirst(most=20, seconds=1.5))
    echo.fault = lambda handler, _text, _n: limit.refuses() and handler.refuse(429)
    done = run("map", "{}", input=lines(50))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 50


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "1"}], ids=["no time", "a time"])
def test_no_retries_means_never_again(run: Run, echo: Echo, headers: dict[str, str]) -> None:
    echo.fault = lambda handler, text, _n: text == "r1" and handler.refuse(429, **headers)
    done = run("map", "--json", "-j", "1", "--retries", "0", "{}", input=lines(3))
    assert done.returncode == 3
    assert [row["llmcli"]["exit_code"] for row in rows(done.stdout)] == [0, 75, 0]
    assert len(echo.bodies) == 3


def test_later_until_the_deadline_of_the_record(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r1" and handler.refuse(503)
    done = run("map", "--json", "-j", "1", "--deadline", "3", "{}", input=lines(3))
    assert done.returncode == 3
    found = rows(done.stdout)
    assert [row["llmcli"]["exit_code"] for row in found] == [0, 75, 0]
    assert "did not take the request within the deadline of 3 s" in found[1]["error"]["message"]
    assert len(found[1]["llmcli"]["attempts"]) > 2


def test_a_record_has_its_deadline_from_its_first_turn_on(run: Run, echo: Echo) -> None:
    """The last record waits longer for its turn than it may take."""
    done = run("map", "--rpm", "120", "--deadline", "2", "{}", input=lines(8))
    assert done.returncode == 0, done.stderr


def test_a_server_that_is_down_ends_it_after_the_retries(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(503)
    done = run("map", "-j", "4", "--retries", "2", "{}", input=lines(500))
    assert done.returncode == 69, done.stderr
    assert 3 <= len(echo.bodies) <= 4 * (1 + 2) + 4


def test_a_server_that_never_takes_one_ends_it(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(429)
    done = run("map", "-j", "4", "--deadline", "1", "{}", input=lines(500))
    assert done.returncode == 75, done.stderr
    assert len(echo.bodies) <= 20


def test_one_who_is_answered_slowly_is_not_taken_for_a_server_that_is_down(
    run: Run, echo: Echo
) -> None:
    """The first answer takes until all others were refused so often that retries would be over."""
    echo.hold("r0")

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        if text == "r0" or not echo.is_held("r0"):
            return None
        if echo.asked.total() > 12:
            echo.release()
        return handler.refuse(503)

    echo.fault = fault
    done = run("map", "-j", "4", "--retries", "1", "{}", input=lines(20))
    assert done.returncode == 0, done.stderr


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
    pace = Pace(tpm=100)
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


def test_what_was_put_back_comes_before_what_is_new() -> None:
    """The lowest number has the next turn, whoever came first."""
    pace = Pace(rpm=60_000)
    order: list[int] = []
    first = pace.turn(0, 0)
    first.__enter__()
    pace.refused(time.monotonic(), 0.5)
    came: list[int] = []

    def enter(number: int) -> None:
        came.append(number)
        with pace.turn(0, number):
            order.append(number)

    threads = [threading.Thread(target=enter, args=[number]) for number in (9, 5, 7, 1)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(pace._waiting) == 4)
    first.__exit__(None, None, None)
    for thread in threads:
        thread.join(60)
    assert order == [1, 5, 7, 9]

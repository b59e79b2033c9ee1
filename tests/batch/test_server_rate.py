"""The rate that a server takes is found, for many limits, by a clock that only moves as asked."""

import heapq
import math
import random
from dataclasses import dataclass

import pytest

from llmcli.batch.pace.server_rate import ServerRate
from tests.support.limiters import Bucket, Changing, Limiter, SinceFirst, Window

# Seconds that threads are late, at most.
LATE = 0.003
BEGIN = 100.0


@dataclass(frozen=True)
class Simulated:
    """Seconds from the begin of a run: its end, and when each request was taken or refused."""

    seconds: float
    taken: list[float]
    refused: list[float]

    def share_refused(self, since: float) -> float:
        refused = sum(at >= since for at in self.refused)
        return refused / max(refused + sum(at >= since for at in self.taken), 1)


def simulate(limiter: Limiter, records: int, workers: int = 8, latency: float = 0.05) -> Simulated:
    """Ask all records, a refused one again. Refusals come within ten milliseconds."""
    rate, now, left, chance = ServerRate(), BEGIN, records, random.Random(1)
    taken: list[float] = []
    refused: list[float] = []
    flying: list[tuple[float, float, float | None]] = []
    while left or flying:
        due = rate.next_at(now) if left and len(flying) < workers else math.inf
        if flying and flying[0][0] <= max(due, now):
            now, sent, answer = heapq.heappop(flying)
            if answer is None:
                rate.accepted(sent, now)
            else:
                rate.refused(sent, now, answer or None)
                left += 1
        elif due > now:
            now = due + chance.uniform(0, LATE)
        else:
            rate.sent(now)
            left -= 1
            answer = limiter.refuses(now)
            (taken if answer is None else refused).append(now - BEGIN)
            ended = now + (latency if answer is None else min(latency, 0.01))
            heapq.heappush(flying, (ended, now, answer))
    return Simulated(now - BEGIN, taken, refused)


@pytest.mark.parametrize(("records", "most"), [(60, 1.6), (200, 1.3), (1000, 1.3)])
@pytest.mark.parametrize("latency", [0.02, 0.5])
@pytest.mark.parametrize("workers", [8, 32])
@pytest.mark.parametrize("burst", [0, 2, 10])
@pytest.mark.parametrize("rate", [0.2, 0.5, 1, 2, 5, 20])
def test_a_bucket_that_drains(
    rate: float, burst: int, workers: int, latency: float, records: int, most: float
) -> None:
    ideal = max((records - 1 - burst) / rate, records * latency / workers)
    run = simulate(Bucket(rate, burst), records, workers, latency)
    assert run.seconds <= most * ideal + 1
    if records >= 200:
        assert run.share_refused(since=run.taken[records // 3]) <= 0.2


@pytest.mark.parametrize("windows", [2.5, 4.5, 10.5])
@pytest.mark.parametrize("offset", [0.0, 30.0, 54.0])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("most", [10, 20, 60, 200])
def test_a_count_for_each_minute(most: int, named: bool, offset: float, windows: float) -> None:
    """At most one window more than are needed, which begin at a minute."""
    limit = Window(most, 60, offset, named)
    records = int(most * windows)
    first_ends = 60 - (BEGIN + offset) % 60
    run = simulate(limit, records)
    needed = math.ceil(records / most)
    assert run.seconds <= first_ends + 60 * needed
    if windows > 10:
        assert run.share_refused(since=run.taken[records // 3]) <= 0.2


@pytest.mark.parametrize("windows", [2.5, 4.5])
@pytest.mark.parametrize("most", [10, 20, 60, 200])
def test_a_count_in_a_minute_from_the_first_request_on(most: int, windows: float) -> None:
    records = int(most * windows)
    run = simulate(SinceFirst(most, 60), records)
    assert run.seconds <= 60 * math.ceil(records / most)


@pytest.mark.parametrize("burst", [2, 10])
@pytest.mark.parametrize(
    ("first", "second"), [(2, 10), (10, 2), (20, 1), (1, 20), (2, 0.5), (5, 4)]
)
def test_a_limit_that_changes_meanwhile(first: float, second: float, burst: int) -> None:
    at = 200 / first
    run = simulate(Changing(Bucket(first, burst), BEGIN + at, Bucket(second, burst)), 400)
    assert run.seconds <= 1.3 * (at + 200 / second)
    found = at + 20 / second
    assert run.share_refused(since=found) <= 0.2


@dataclass
class Moody:
    """It refuses at random, which no rate prevents."""

    share: float

    def __post_init__(self) -> None:
        self._chance = random.Random(5)

    def refuses(self, now: float) -> float | None:
        return 0 if self._chance.random() < self.share else None


@pytest.mark.parametrize(("share", "seconds"), [(0.05, 15), (0.1, 30), (0.25, 30)])
def test_who_refuses_at_random_does_not_stop_it(share: float, seconds: float) -> None:
    assert simulate(Moody(share), 100).seconds <= seconds


def test_nothing_is_slower_while_nothing_is_refused() -> None:
    rate = ServerRate()
    for n in range(1000):
        assert rate.next_at(float(n)) <= n
        rate.sent(float(n))
        rate.accepted(float(n), n + 0.5)


def test_no_pause_is_longer_than_thirty_seconds_but_one_that_is_named() -> None:
    rate, now = ServerRate(), 0.0
    for _ in range(50):
        at = rate.next_at(now)
        assert at - now <= 30
        rate.sent(at)
        now = at + 0.01
        rate.refused(at, now, None)
    rate.refused(rate.next_at(now), now, 90.0)
    assert rate.next_at(now) >= now + 90


def test_a_limit_that_is_lifted_is_noticed() -> None:
    """After a hundred requests of a tight limit, two thousand take no longer than those."""
    run = simulate(Changing(Bucket(2, 2), BEGIN + 50, Bucket(1000, 50)), 2100)
    assert run.seconds <= 50 + 50

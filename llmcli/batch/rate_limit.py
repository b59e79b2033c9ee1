"""How fast requests go out: what a server asks for slows all workers together, and failures do
not multiply.

Limits rise slowly and fall at once, as TCP's do (RFC 5681); retries keep to a budget, as in
https://sre.google/sre-book/handling-overload/.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_MINUTE = 60.0
# Retries, as a share of the requests; some are free, or a short run could have none.
_SHARE = 0.1
_FREE = 3
_DOWN = 0.5
# By how much of all workers a round of successes raises the limit.
_UP = 1 / 16


class Stopped(Exception):
    """The run is to end: what was not sent is not sent any more."""


class Pace:
    """Shared by `workers` threads. `rpm` requests and `tpm` tokens a minute are never exceeded."""

    def __init__(self, workers: int, rpm: float | None = None, tpm: int | None = None) -> None:
        self._workers = workers
        self._interval = _MINUTE / rpm if rpm else 0.0
        self._tokens = _Window(tpm) if tpm else None
        self._changed = threading.Condition()
        self._limit = float(workers)
        self._active = 0
        self._not_before = 0.0
        self._next = 0.0
        self._cut_at = 0.0
        self._requests = self._retries = 0
        self._stopped = threading.Event()

    @property
    def counts_tokens(self) -> bool:
        return self._tokens is not None

    @contextmanager
    def turn(self, tokens: int = 0) -> Iterator[float]:
        """Wait for a turn to send a request of at most `tokens`: when, on the monotonic clock.

        Raises Stopped."""
        started = self._wait(tokens)
        try:
            yield started
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify()

    def _wait(self, tokens: int) -> float:
        with self._changed:
            while True:
                if self._stopped.is_set():
                    raise Stopped
                now = time.monotonic()
                until = max(self._not_before, self._next)
                if self._tokens:
                    until = max(until, self._tokens.free_at(tokens, now))
                if until > now:
                    self._changed.wait(until - now)
                elif self._active >= int(self._limit):
                    self._changed.wait()
                else:
                    break
            self._active += 1
            self._requests += 1
            self._next = max(self._next, now) + self._interval if self._interval else 0.0
            if self._tokens:
                self._tokens.add(now, tokens)
            self._changed.notify()
            return now

    def succeeded(self) -> None:
        with self._changed:
            if self._limit < self._workers:
                step = max(self._workers * _UP, 1.0) / self._limit
                self._limit = min(self._limit + step, float(self._workers))
                self._changed.notify()

    def overloaded(self, started: float, retry_after: float | None) -> None:
        """The server is too busy, or says so of us; all wait for `retry_after` seconds."""
        with self._changed:
            now = time.monotonic()
            if retry_after:
                self._not_before = max(self._not_before, now + retry_after)
            if started > self._cut_at:  # once for all requests that met the same overload
                self._limit = max(self._limit * _DOWN, 1.0)
                self._cut_at = now

    def may_retry(self, told: bool) -> bool:
        """Whether a failure may be tried again. One that was `told` when to come is no retry of a
        failure: it was turned away, and the wait is shared."""
        with self._changed:
            if self._stopped.is_set():
                return False
            if told:
                return True
            if self._retries >= max(_FREE, (self._requests - self._retries) * _SHARE):
                return False
            self._retries += 1
            return True

    def rest(self, seconds: float) -> None:
        """Raises Stopped."""
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def settle(self, sent: float, reserved: int, used: int) -> None:
        """Of the tokens that were `reserved` for a request only so many were `used`."""
        if self._tokens:
            with self._changed:
                self._tokens.settle(sent, reserved, used)
                self._changed.notify_all()


class _Window:
    """Tokens of the last minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent: deque[list[float]] = deque()
        self._sum = 0.0

    def free_at(self, tokens: int, now: float) -> float:
        """When `tokens` more are within the limit; what is larger than it goes alone."""
        while self._spent and self._spent[0][0] <= now - _MINUTE:
            self._sum -= self._spent.popleft()[1]
        missing = self._sum + tokens - self._limit
        for at, count in self._spent:
            if missing <= 0:
                break
            missing -= count
            now = at + _MINUTE
        return now

    def add(self, now: float, tokens: int) -> None:
        self._spent.append([now, tokens])
        self._sum += tokens

    def settle(self, sent: float, reserved: int, used: int) -> None:
        for entry in self._spent:
            if entry[0] == sent and entry[1] == reserved:
                entry[1] = used
                self._sum += used - reserved
                return

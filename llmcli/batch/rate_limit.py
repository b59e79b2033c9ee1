"""How fast the workers of `map` send requests.

If the server asks one worker to wait, all workers wait. The number of requests at once is halved at
an overload and rises slowly after successes, as the window of TCP does (RFC 5681). Retries are
limited to a share of the requests, so that failures do not multiply the load; see
https://sre.google/sre-book/handling-overload/.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_MINUTE = 60.0
# Retries as a share of the first attempts, as in the chapter named above.
_RETRY_SHARE = 0.1
# Retries that are allowed in any case, or a run of a few requests could have none.
_FREE_RETRIES = 3
# What an overload leaves of the limit of requests at once.
_DOWN = 0.5
# What a success in each of the requests at once adds to the limit, as a share of all workers.
_UP = 1 / 16


class Stopped(Exception):
    """The run is ending, so the request must not be sent."""


class Pace:
    """The turns to send requests, which all threads of a run share.

    At most `workers` requests are under way at once, fewer after an overload. At most `rpm`
    requests and `tpm` tokens are sent in a minute; None means no limit. Times are seconds of the
    monotonic clock.
    """

    def __init__(self, workers: int, rpm: float | None = None, tpm: int | None = None) -> None:
        self._workers = workers
        self._interval = _MINUTE / rpm if rpm else 0.0
        self._tokens = _Window(tpm) if tpm else None
        # Guards all fields below, and is notified when a waiting thread may have its turn.
        self._changed = threading.Condition()
        # The most requests at once. It is a float, as a success adds a part of one.
        self._limit = float(workers)
        self._active = 0
        # No request before this time, as the server asked to wait.
        self._not_before = 0.0
        # No request before this time, to keep to `rpm`.
        self._next = 0.0
        # When the limit was last cut.
        self._cut_at = 0.0
        self._requests = self._retries = 0
        self._stopped = threading.Event()

    @property
    def counts_tokens(self) -> bool:
        """Return True if there is a limit of tokens a minute."""
        return self._tokens is not None

    @contextmanager
    def turn(self, tokens: int = 0) -> Iterator[float]:
        """Wait for a turn to send a request of at most `tokens`, and hold it.

        Yields the time at which the turn began. Raises Stopped after `stop`.
        """
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
        """Count a success: the limit of requests at once rises a little, up to `workers`."""
        with self._changed:
            if self._limit < self._workers:
                # Divided by the limit, so that a success in each request at once adds one step.
                step = max(self._workers * _UP, 1.0) / self._limit
                self._limit = min(self._limit + step, float(self._workers))
                self._changed.notify()

    def overloaded(self, started: float, retry_after: float | None) -> None:
        """Halve the limit of requests at once, as the server was too busy for a request.

        `started` is when the turn of the request began. If the server says how long to wait, all
        requests wait for `retry_after` seconds.
        """
        with self._changed:
            now = time.monotonic()
            if retry_after:
                self._not_before = max(self._not_before, now + retry_after)
            # Requests that were under way together meet the same overload, which counts once.
            if started > self._cut_at:
                self._limit = max(self._limit * _DOWN, 1.0)
                self._cut_at = now

    def may_retry(self, *, has_time: bool) -> bool:
        """Return True if a failed request may be sent again, and count it as a retry.

        `has_time` is True if the server said when to come again. Such a request costs none of the
        retries: it was not served at all, and all workers wait until then.
        """
        with self._changed:
            if self._stopped.is_set():
                return False
            if has_time:
                return True
            first_attempts = self._requests - self._retries
            if self._retries >= max(_FREE_RETRIES, first_attempts * _RETRY_SHARE):
                return False
            self._retries += 1
            return True

    def rest(self, seconds: float) -> None:
        """Sleep for `seconds`. Raises Stopped as soon as `stop` is called."""
        if self._stopped.wait(seconds):
            raise Stopped

    def pause(self) -> float:
        """Return the seconds until the next request may be sent; 0 while one is under way."""
        with self._changed:
            if self._active:
                return 0
            now = time.monotonic()
            free = self._tokens.free_at(1, now) if self._tokens else now
            return max(self._not_before, self._next, free) - now

    def stop(self) -> None:
        """Let every thread that waits for a turn, or would, get Stopped instead."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def settle(self, started: float, reserved: int, used: int) -> None:
        """Correct the tokens of a request once it is known how many it used.

        `started` is when its turn began, `reserved` the tokens that the turn was asked for.
        """
        if self._tokens:
            with self._changed:
                self._tokens.settle(started, reserved, used)
                self._changed.notify_all()


class _Window:
    """The tokens of the last minute, of which there may be `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # For each request, oldest first: when it was sent, and its tokens.
        self._spent: deque[list[float]] = deque()
        self._sum = 0.0

    def free_at(self, tokens: int, now: float) -> float:
        """Return the time from which `tokens` more are within the limit.

        A request with more tokens than the limit has to wait until no others are in the minute.
        """
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

    def settle(self, started: float, reserved: int, used: int) -> None:
        for entry in self._spent:
            if entry[0] == started and entry[1] == reserved:
                entry[1] = used
                self._sum += used - reserved
                return

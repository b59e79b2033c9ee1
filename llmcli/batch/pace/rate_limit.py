"""How fast the workers of `map` send requests, which all of them share.

If the server tells one worker to come later, all workers slow down to the rate that it takes; see
`llmcli.batch.pace.server_rate`. Retries of what broke are limited to a share of the requests, so
that failures do not multiply the load; see https://sre.google/sre-book/handling-overload/.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from llmcli.batch.pace.server_rate import ServerRate

_MINUTE = 60.0
_FOREVER = float("inf")
# Retries as a share of the first attempts, as in the chapter named above.
_RETRY_SHARE = 0.1
# Retries that are allowed in any case, or a run of a few requests could have none.
_FREE_RETRIES = 3


class Stopped(Exception):
    """The run is ending, so the request must not be sent."""


class TooLate(Exception):
    """The deadline of the record came before its turn."""


class Pace:
    """The turns to send requests, which all threads of a run share.

    At most `rpm` requests and `tpm` tokens are sent in a minute; None means no limit. Times are
    seconds of the monotonic clock.
    """

    def __init__(self, rpm: float | None = None, tpm: int | None = None) -> None:
        self._interval = _MINUTE / rpm if rpm else 0.0
        self._tokens = _Window(tpm) if tpm else None
        # Guards all fields below.
        self._lock = threading.Lock()
        self._server = ServerRate()
        # No request before this time, to keep to `rpm`.
        self._next = 0.0
        # The threads that wait for a turn, by the number of their record; only the first one looks
        # at the clock. Those with the same number have the order in which they came.
        self._waiting: list[tuple[int, int, threading.Condition]] = []
        self._came = 0
        self._active = self._requests = self._retries = 0
        self._stopped = threading.Event()

    @property
    def counts_tokens(self) -> bool:
        """Return True if there is a limit of tokens a minute."""
        return self._tokens is not None

    @property
    def active(self) -> int:
        """Return how many requests are under way."""
        return self._active

    @contextmanager
    def turn(self, tokens: int = 0, number: int = 0, until: float = _FOREVER) -> Iterator[float]:
        """Wait for a turn to send a request of at most `tokens`, and hold it.

        The lowest `number` has the first turn, so that a record that was put back does not wait
        for those after it. Yields the time at which the turn began. Raises Stopped after `stop`,
        TooLate if `until` is past.
        """
        started = self._wait(tokens, number, until)
        try:
            yield started
        finally:
            with self._lock:
                self._active -= 1

    def _wait(self, tokens: int, number: int, until: float) -> float:
        with self._lock:
            self._came += 1
            place = (number, self._came, threading.Condition(self._lock))
            heapq.heappush(self._waiting, place)
            try:
                while not self._stopped.is_set():
                    now = time.monotonic()
                    at = self._free_at(tokens, now) if self._waiting[0] is place else _FOREVER
                    if at <= now:
                        return self._begin(tokens, now)
                    if now >= until:
                        raise TooLate
                    wait = min(at, until) - now
                    place[2].wait(None if wait == _FOREVER else wait)
                raise Stopped
            finally:
                # Most often it is the first of a heap of one; else a heap is made again.
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._wake_first()

    def _free_at(self, tokens: int, now: float) -> float:
        """Return the time from which a request of `tokens` may be sent."""
        at = max(self._next, self._server.next_at(now))
        return max(at, self._tokens.free_at(tokens, now)) if self._tokens else at

    def _begin(self, tokens: int, now: float) -> float:
        self._active += 1
        self._requests += 1
        self._server.sent(now)
        self._next = max(self._next, now) + self._interval if self._interval else 0.0
        if self._tokens:
            self._tokens.add(now, tokens)
        return now

    def _wake_first(self) -> None:
        if self._waiting:
            self._waiting[0][2].notify()

    def accepted(self, started: float) -> None:
        """Note that the server has taken the request whose turn began at `started`."""
        with self._lock:
            self._server.accepted(started, time.monotonic())
            self._wake_first()

    def refused(self, started: float, retry_after: float | None) -> None:
        """Note that the server told a request to come later, and let all requests slow down.

        `started` is when the turn of the request began. If the server names a time, all requests
        wait for `retry_after` seconds.
        """
        with self._lock:
            # It costs none of the retries, nor does it allow for more of them.
            self._requests -= 1
            self._server.refused(started, time.monotonic(), retry_after)
            self._wake_first()

    def next_in(self) -> float:
        """Return the seconds until the next request may be sent."""
        with self._lock:
            now = time.monotonic()
            return max(self._server.next_at(now) - now, 0.0)

    def may_retry(self) -> bool:
        """Return True if a request that broke may be sent again, and count it as a retry."""
        with self._lock:
            if self._stopped.is_set():
                return False
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
        with self._lock:
            now = time.monotonic()
            return 0 if self._active else self._free_at(1, now) - now

    def stop(self) -> None:
        """Let every thread that waits for a turn, or would, get Stopped instead."""
        self._stopped.set()
        with self._lock:
            for *_, waiting in self._waiting:
                waiting.notify()

    def settle(self, started: float, reserved: int, used: int) -> None:
        """Correct the tokens of a request once it is known how many it used.

        `started` is when its turn began, `reserved` the tokens that the turn was asked for.
        """
        if self._tokens:
            with self._lock:
                self._tokens.settle(started, reserved, used)
                self._wake_first()


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

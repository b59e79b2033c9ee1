"""The rate of requests that a server takes, found from what it takes and what it refuses.

Nothing here knows of threads or clocks: whoever sends the requests says when.

A server that refuses has taken all that it takes for now. What it took from one such time to the
next, over the time between them, is its rate, whatever rule it goes by: a bucket that drains
(limit_req of nginx) or a count for each minute (LiteLLM). After a refusal there is a pause, then
one request to see whether the server takes more, and then the rate that was found. It is kept for
a time that is long beside the pause, and then raised by more and more, as the limit may have risen.
"""

from collections import deque
from typing import NamedTuple

# Seconds: the first pause while no rate is known, and the longest of which the server says nothing.
# A window of a minute that is over is so noticed within that time.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
# What each further refusal multiplies the pause by. A smaller factor finds the end of the refusals
# sooner, and costs more refused requests.
_LONGER = 1.5
# With so many pauses in a row, the server takes much less than it was asked, or counts by windows.
_MANY = 4
# A refusal is expected in so many times what the last one took, within these bounds in seconds. A
# request that runs longer counts as taken.
_PATIENCE, _LEAST, _MOST = 4.0, 0.05, 1.0
# How many requests a span of time must have for a rate that can be relied on.
_RELIABLE = 8
# A refusal leaves this share of the rate, but no more than this multiple of what was found.
_DOWN, _ABOVE = 0.85, 1.15
# Where the server counts by windows: a little faster than so many requests a window, evenly, uses
# each window up before it ends. The more requests, the less does a refusal at its end matter.
_FASTER = ((16, 1.3), (8, 1.2), (4, 1.1), (0, 1.0))
# Where the server names the end of the wait: slower, as a refusal costs all of that wait.
_SLOWER = 1.02
# The rate is not raised for so many times as long as the last pause took, which the server did not
# name or did.
_HOLD, _HOLD_NAMED = 3.0, 8.0
# The n-th request that was taken then raises the rate by n times this share. Until the first
# refusal at a known rate, or so many requests, each one raises it by the second share.
_UP, _SEARCH, _SEARCHED = 0.003, 0.25, 20
# With fewer requests than this between two refusals, the server may refuse whatever the rate is.
_SOON = 12
# How much slower it takes requests at a lower rate, if it does.
_MUCH_SLOWER = 1.25


class _Opening(NamedTuple):
    """A time at which the server began to take requests again, and how many it had taken then."""

    at: float
    taken: int


class ServerRate:
    """The times at which requests may be sent. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        # Seconds between two requests; 0 while nothing was refused.
        self._interval = 0.0
        # No request before this time.
        self._next = 0.0
        # When the last refusal came that counted, and until when it holds; requests that were sent
        # before it met the same overload.
        self._refused_at = self._refuses_until = float("-inf")
        # How many seconds the server named then; 0 if it named none.
        self._named = 0.0
        # While the server refuses: when that began, the last pause, how many pauses there were, and
        # when the request was sent that is to show whether it still does.
        self._closed_at: float | None = None
        self._pause, self._pauses = 0.0, 0
        self._probe: float | None = None
        self._patience = _MOST
        # Requests that were sent and not refused, in all.
        self._taken = 0
        self._openings: deque[_Opening] = deque(maxlen=16)
        # The rate is not raised before this time, and then by more for each request taken.
        self._hold_until = 0.0
        self._raised = 0
        self._searching = False
        # Where a row of early refusals began, and the interval and what was found in it before.
        self._row = _Opening(0.0, 0)
        self._in_row: tuple[float, float] | None = None

    def next_at(self, now: float) -> float:
        """Return the time from which the next request may be sent, which may be past."""
        if self._probe is not None:
            if now < self._probe + self._patience:
                return self._probe + self._patience
            self.accepted(self._probe, now)
        return self._next

    def sent(self, now: float) -> None:
        """Note that a request is sent."""
        if not self._openings:
            self._openings.append(_Opening(now, 0))
        if self._closed_at is not None:
            self._probe = now
        self._taken += 1
        # A request that is late by less than an interval does not delay the ones after it.
        self._next = max(self._next, now - self._interval) + self._interval

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> None:
        """Note that the server told the request of `sent_at` to come later.

        `retry_after` is the number of seconds that it named, None if it named none.
        """
        self._taken -= 1
        if retry_after:
            self._next = max(self._next, now + retry_after)
            self._refuses_until = max(self._refuses_until, now + retry_after)
        if sent_at <= self._refused_at:
            return
        if self._closed_at is None:
            # Where the last refusals went on for long, these may as well.
            last = self._pause if self._pauses >= _MANY else 0.0
            self._closed_at, self._pauses = now, 0
            self._pause = max(self._interval, last / 2) if self._interval else _FIRST_PAUSE
        else:
            self._pause *= _LONGER
        self._refused_at, self._probe, self._named = now, None, retry_after or 0.0
        self._refuses_until = max(self._refuses_until, now)
        self._patience = min(max(_PATIENCE * (now - sent_at), _LEAST), _MOST)
        self._pauses += 1
        self._pause = min(self._pause, _LONGEST_PAUSE)
        self._next = max(self._next, now + (retry_after or self._pause))

    def accepted(self, sent_at: float, now: float) -> None:
        """Note that the server has taken the request of `sent_at`."""
        if sent_at <= self._refused_at:
            return
        if self._closed_at is not None:
            self._open(sent_at, sent_at - self._closed_at)
        elif self._interval and self._searching:
            self._interval /= 1 + _SEARCH
        elif self._interval and now >= self._hold_until:
            self._raised += 1
            self._interval /= 1 + _UP * self._raised

    def _open(self, at: float, paused: float) -> None:
        """Go on, as the server took the request that was sent `at`, `paused` seconds after none."""
        taken = self._taken - 1
        is_soon = taken - self._openings[-1].taken < _SOON
        self._openings.append(_Opening(self._refuses_until, taken))
        seconds, count = self._found()
        self._searching = not self._interval and count < _SEARCHED
        interval = self._settled(seconds, count)
        self._interval = self._unless_in_vain(interval, is_soon=is_soon)
        self._closed_at = self._probe = None
        self._hold_until = at + (_HOLD_NAMED if self._named else _HOLD) * paused
        self._raised = 0
        self._next = max(self._next, at + self._interval)

    def _found(self) -> tuple[float, int]:
        """Return the seconds for each request taken, and how many requests that is known from."""
        last = self._openings[-1]
        enough = 1 if self._pauses >= _MANY else _RELIABLE
        count, seconds = 0, 0.0
        for earlier in reversed(self._openings):
            count, seconds = last.taken - earlier.taken, last.at - earlier.at
            if count >= enough:
                break
        return seconds / max(count, 1), count

    def _settled(self, found: float, count: int) -> float:
        """Return the seconds between two requests, if `count` of them took `found` seconds each."""
        slower = self._interval / _DOWN
        if self._pauses >= _MANY:
            return found / next(factor for least, factor in _FASTER if count >= least)
        if not self._interval or count >= _RELIABLE:
            most = max(slower, found / _ABOVE) if self._interval else found
            return min(found, most) * (_SLOWER if self._named else 1)
        return slower

    def _unless_in_vain(self, interval: float, *, is_soon: bool) -> float:
        """Return `interval`, or an earlier one if longer ones did not end the refusals.

        A server that refuses at random takes fewer requests at a lower rate; one with a limit takes
        as many as before. `is_soon` says that it refused again after a few requests.
        """
        last = self._openings[-1]
        if self._pauses >= _MANY or not is_soon:
            self._row, self._in_row = last, None
            return interval
        count = last.taken - self._row.taken
        if count < _RELIABLE:
            return interval
        found, before = (last.at - self._row.at) / count, self._in_row
        self._row, self._in_row = last, (self._interval, found)
        if before is None or not before[0] or found < _MUCH_SLOWER * before[1]:
            return interval
        # What was found at the lower rates says nothing of the rate that the server takes.
        self._in_row = None
        self._openings.clear()
        self._openings.append(last)
        return before[0]

"""How many records a batch has, and how many are with the workers, by the time they take."""

import math
import threading
from collections.abc import Callable, Sequence

# Seconds of work that a batch is to be. More of them would be lost with a scheduler that dies.
_WORK = 1.0
# The most records of a batch: with answers at once, so many are about such a time of work.
_MOST = 600
# The smallest batch near the end of the input, as a part of a full one.
_SMALLEST = 0.1
# How many full batches a worker may have here and there: one under way, one that waits for it
# there, and two that are made ready.
_BATCHES = 4
# Who waits for a place is woken once so large a part of all is free. More than that is always free
# while slow records hold all that is with the workers.
_PART_FREE = 8


def most_records(workers: int) -> int:
    """Return how many records may ever be on their way to so many workers."""
    return workers * _BATCHES * _MOST


class Sizes:
    """The sizes for workers that ask `width` records at once. Guarded by the lock of its owner."""

    def __init__(self, width: int) -> None:
        self._width = width
        # Seconds that a record takes, as far as is known.
        self._seconds: float | None = None

    def learn(self, seconds: Sequence[float]) -> None:
        """Note how long records took; the last ones count most."""
        if seconds:
            mean = sum(seconds) / len(seconds)
            before = mean if self._seconds is None else self._seconds
            weight = min(len(seconds) / (2 * self._width), 1.0)
            self._seconds = before + (mean - before) * weight

    @property
    def full(self) -> int:
        """Return how many records a full batch has."""
        if self._seconds is None:
            return self._width
        return min(max(round(_WORK * self._width / max(self._seconds, 1e-6)), 1), _MOST)

    @property
    def with_worker(self) -> int:
        """Return how many records a worker may have: those it asks, and its next batch."""
        return max(2 * self.full, self._width + self.full)

    @property
    def on_their_way(self) -> int:
        """Return how many records there may be for each worker, with those made ready here."""
        return self.with_worker + (_BATCHES - 2) * self.full

    def next(self, waiting: int, workers: int) -> int:
        """Return the size of the next batch, if so many records wait for so many workers.

        Near the end the rest is shared out, so that all workers end at about the same time.
        """
        share = math.ceil(waiting / (2 * max(workers, 1)))
        return min(waiting, self.full, max(share, math.ceil(self.full * _SMALLEST)))


class ChangingSlots:
    """A semaphore whose number of places changes: as many as `limit` returns."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    def acquire(self) -> None:
        """Wait for a place, and take it."""
        with self._changed:
            while self._taken >= self._limit():
                self._changed.wait()
            self._taken += 1

    def release(self) -> None:
        """Give a place back."""
        with self._changed:
            self._taken -= 1
            # Not for each place, as waking a thread takes longer than all else here.
            limit = self._limit()
            if self._taken <= limit - max(limit // _PART_FREE, 1):
                self._changed.notify_all()

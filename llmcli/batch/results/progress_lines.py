"""The progress of `map` on a terminal that cannot move its cursor, such as TERM=dumb."""

import time
from collections.abc import Callable

from llmcli.batch.results.summary import FractionRead, Tally

# Seconds from one line to the next.
EVERY = 10.0


class ProgressLines:
    """A display that says every ten seconds, when an answer comes, how far the run has come."""

    def __init__(
        self,
        tally: Tally,
        fraction_read: FractionRead,
        total: int | None,
        say: Callable[[str], None],
    ) -> None:
        self._tally = tally
        self._fraction_read = fraction_read
        self._total = total
        self._say = say
        self._next = time.monotonic() + EVERY

    def update(self) -> None:
        """Say the counts as they are now, unless that was less than ten seconds ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            self._say(f"map: {self._tally.progress(self._fraction_read(), self._total)}")

    def end(self) -> None:
        """Do nothing, as lines stay."""

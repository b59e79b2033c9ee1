"""Pauses of a run of `map`, in which no request may be sent, and how they are told."""

import threading
import time
from collections.abc import Callable

from llmcli.system import waits

# Seconds between two looks at the run.
_PERIOD = 1.0
# A pause is told again only if it is longer than those told before by this part of them.
_LONGER = 1.5


class Pauses:
    """The long pauses of one run. `tell` is called with a line for the user."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began: float | None = None
        self._longest = 0.0

    def look(self, left: float) -> None:
        """Note that no request may be sent for `left` seconds; 0 or less if one may, or is."""
        now = time.monotonic()
        if left <= 0:
            self._began = None
            return
        if self._began is None:
            self._began = now
        lasted = now - self._began
        if lasted >= waits.NOTICE_AFTER and lasted + left > self._longest * _LONGER:
            # Once for all pauses of about this length: --rpm may make one before each request.
            self._longest = lasted + left
            self._tell(f"waiting {left:.0f} s more for the rate limit")


def watch(left: Callable[[], float], tell: Callable[[str], None]) -> None:
    """Tell the long pauses of this process from now on; `left` is what `Pauses.look` takes."""

    def run() -> None:
        pauses = Pauses(tell)
        while True:
            time.sleep(_PERIOD)
            pauses.look(left())

    threading.Thread(target=run, daemon=True).start()

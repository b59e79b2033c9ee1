"""Waits of llmcli's own, for a lock or until a request may be sent again, and how they are told."""

import time
from collections.abc import Callable

# Seconds of waiting until the user is told what is waited for, on a terminal or not.
NOTICE_AFTER = 10.0


class Wait:
    """A wait that has begun; `tell` is called once, with a line that says for what, if it is long.

    `awaited` is what is waited for.
    """

    def __init__(self, awaited: str, tell: Callable[[str], None]) -> None:
        self._awaited = awaited
        self._tell = tell
        self._notice_at = time.monotonic() + NOTICE_AFTER
        self._told = False

    def remind(self) -> None:
        """Tell what is waited for, if that takes long by now. Call it now and then."""
        if not self._told and time.monotonic() >= self._notice_at:
            self._told = True
            self._tell(f"waiting for {self._awaited}")

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, and tell it once a part of them was long."""
        until = time.monotonic() + seconds
        if self._notice_at < until:
            time.sleep(max(self._notice_at - time.monotonic(), 0))
            self._told = True
            left = max(until - time.monotonic(), 0)
            self._tell(f"waiting {left:.0f} s more for {self._awaited}")
        time.sleep(max(until - time.monotonic(), 0))

"""What happened on the way to an answer: attempts, request id, times."""

import time
from collections.abc import Callable
from typing import Any

from llmcli.api.types import Usage
from llmcli.errors import deadline_reached
from llmcli.system.dataclass import dataclass, field


def _silent(_line: str) -> None:
    pass


@dataclass
class Trace:
    """`log` gets the lines of -v. Times are monotonic seconds; `waited` before the next attempt.
    `until`: no request goes on beyond it, `deadline` seconds after the first began. `apart`: events
    are shown one by one, also those that arrive together."""

    log: Callable[[str], None] = _silent
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    request_id: str | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    stage: Callable[[str], None] = _silent
    waited: float = 0.0
    until: float = float("inf")
    deadline: float = 0
    # Whether the last request was sent, as far as is known.
    sent: bool = False
    warnings: list[str] = field(default_factory=list)
    redact: Callable[[str], str] = str
    apart: bool = False
    _before: int = 0  # attempts of earlier turns

    def time_left(self, awaited: str) -> float:
        """Seconds, of a deadline that is this call's own. Raises TimedOut."""
        left = self.until - time.monotonic()
        if left < 0:
            raise deadline_reached(self.deadline, awaited)
        return left

    def warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def seconds(self) -> dict[str, float | None]:
        first = None if self.first_token is None else round(self.first_token - self.started, 4)
        return {"first_token": first, "total": round(time.monotonic() - self.started, 4)}

    def begin_attempt(self) -> dict[str, Any]:
        """A new attempt, to be filled in as it goes on."""
        attempt: dict[str, Any] = {"status": None, "reason": None, "waited": round(self.waited, 3)}
        self.attempts.append(attempt)
        self.sent = False
        return attempt

    def begin_turn(self) -> None:
        """Count attempts anew: those so far belong to earlier turns."""
        self._before = len(self.attempts)

    def attempts_of_turn(self) -> int:
        return len(self.attempts) - self._before

    def discard(self, usage: Usage | None) -> None:
        """Note what an attempt took that is tried again."""
        if usage:
            self.attempts[-1]["usage"] = usage

    def failed(self, reason: str) -> None:
        """The attempt; of one that was not begun nothing is kept."""
        if self.attempts and self.attempts[-1]["reason"] is None:
            self.attempts[-1]["reason"] = self.redact(reason)

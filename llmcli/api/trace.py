"""What happened on the way to an answer: its attempts, its request id, its times."""

import time
from collections.abc import Callable
from typing import Any

from llmcli.api.types import Usage
from llmcli.errors import deadline_reached
from llmcli.system.dataclass import dataclass, field

# What is awaited once an answer has begun, in words for the message of a deadline.
INCOMPLETE = "the answer is not complete"


def _ignore(_line: str) -> None:
    pass


@dataclass
class Trace:
    """The course of the requests for one answer, filled in by the code that makes them.

    Points in time are seconds of time.monotonic(). `log` is called with each line of `-v`, `stage`
    with what is awaited now, in words for the message of a deadline. `attempts` are the objects of
    `attempts` in the JSON output. `waited` is the number of seconds that were waited before the
    next attempt. No request goes on after `until`, which is `deadline` seconds after the start;
    both stand for the deadline of a record of `map`, while that of `ask` is a signal. `sent` says
    whether the last request was sent, as far as is known. `redact` returns its argument without
    secrets. `one_by_one` says that the chunks of a stream must not be joined, even if they arrive
    together.
    """

    log: Callable[[str], None] = _ignore
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    request_id: str | None = None
    response_cost: str | None = None  # as a header of the last reply has it
    attempts: list[dict[str, Any]] = field(default_factory=list)
    stage: Callable[[str], None] = _ignore
    waited: float = 0.0
    until: float = float("inf")
    deadline: float = 0
    sent: bool = False
    warnings: list[str] = field(default_factory=list)
    redact: Callable[[str], str] = str
    one_by_one: bool = False
    _earlier: int = 0  # the number of attempts of earlier turns

    def time_left(self, awaited: str) -> float:
        """Return the seconds until `until`, or infinity if that is not set.

        Raise TimedOut if it is past; `awaited` says in its message what had not happened yet.
        """
        left = self.until - time.monotonic()
        if left < 0:
            raise deadline_reached(self.deadline, awaited)
        return left

    def warn(self, warning: str) -> None:
        """Add `warning`, unless it is there already."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def seconds(self) -> dict[str, float | None]:
        """Return the times for the JSON output, in seconds from the start.

        `first_token` is None if nothing has come, `total` is the time until now.
        """
        first = None if self.first_token is None else round(self.first_token - self.started, 4)
        return {"first_token": first, "total": round(time.monotonic() - self.started, 4)}

    def begin_attempt(self) -> dict[str, Any]:
        """Add an attempt and return it, for the caller to fill in its `status`."""
        attempt: dict[str, Any] = {"status": None, "reason": None, "waited": round(self.waited, 3)}
        self.attempts.append(attempt)
        self.response_cost = None
        self.sent = False
        return attempt

    def begin_turn(self) -> None:
        """Let `attempts_of_turn` count from 0 again, as the attempts so far were earlier turns'."""
        self._earlier = len(self.attempts)

    def attempts_of_turn(self) -> int:
        """Return the number of attempts in this turn."""
        return len(self.attempts) - self._earlier

    def discard(self, usage: Usage | None) -> None:
        """Note the `usage` of the last attempt, which was billed although it is given up."""
        if usage:
            self.attempts[-1]["usage"] = usage

    def failed(self, reason: str) -> None:
        """Note why the last attempt failed, unless its reason is there or none was begun."""
        if self.attempts and self.attempts[-1]["reason"] is None:
            self.attempts[-1]["reason"] = self.redact(reason)

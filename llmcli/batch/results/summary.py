"""How far a run of `map` has come: counts, tokens and cost, and a line that says so."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from llmcli.api.reply.cost import dollars
from llmcli.api.reply.usage import Tokens
from llmcli.batch.task import Outcome

# Returns how much of the input has been read, from 0 to 1; None where that is not known.
FractionRead = Callable[[], float | None]
# The HTTP statuses of a request that was answered (RFC 9110, section 15.3).
_SUCCESS = range(200, 300)
# Warnings with different words that are counted each; the others are counted together, as a
# warning may have words of its own for every record.
_MOST_WARNINGS = 10
_OTHERS = "other warnings"


class Tally:
    """The counts of a run, which `add` brings up to date.

    `done` and `kinds` count the records that were answered and that failed, the latter by the kind
    of failure, `gaps` those whose empty lines are not written yet. `cost` is in USD, without the
    `unknown` answers whose cost is not known. `warnings` has the number of records for each
    warning. `earlier_runs` returns words on what earlier runs did, or an empty text.
    """

    def __init__(self, earlier_runs: Callable[[], str]) -> None:
        self.started = time.monotonic()
        self.earlier_runs = earlier_runs
        self.done = self.gaps = 0
        self.kinds: Counter[str] = Counter()
        self.first_failure: str | None = None
        self.warnings: Counter[str] = Counter()
        self.tokens_in = self.tokens_out = self.unknown = 0
        self.cost = Decimal(0)

    @property
    def failed(self) -> int:
        """Return the number of records that failed."""
        return sum(self.kinds.values())

    def add(self, outcome: Outcome) -> None:
        """Count the outcome of a record."""
        about = outcome.report["llmcli"]
        counts = Tokens.of(outcome.report["usage"])
        self.tokens_in += counts.prompt or 0
        self.tokens_out += counts.completion or 0
        if about["cost_usd"] is not None:
            self.cost += Decimal(str(about["cost_usd"]))
        elif counts.prompt is not None or _was_answered(about):
            self.unknown += 1
        for warning in outcome.warnings:
            counted = warning in self.warnings or len(self.warnings) < _MOST_WARNINGS
            self.warnings[warning if counted else _OTHERS] += 1
        if outcome.error is None:
            self.done += 1
        else:
            self.kinds[outcome.error.kind] += 1
            if self.first_failure is None:
                self.first_failure = f"record {outcome.task.index}: {outcome.error}"

    def warning_lines(self) -> Iterator[str]:
        """Yield each warning once, with the number of records that it is about."""
        for warning, count in self.warnings.items():
            yield f"warning: {warning}" + (f" ({count} records)" if count > 1 else "")

    def rate(self) -> float:
        """Return the records that ended in a second, on average."""
        return (self.done + self.failed) / max(time.monotonic() - self.started, 1e-3)

    def tokens(self) -> str:
        """Return words for the tokens, such as `812 in, 90 out`."""
        if not (self.tokens_in or self.tokens_out):
            return "tokens unknown" if self.done or self.unknown else "no tokens"
        return f"{self.tokens_in} in, {self.tokens_out} out"

    def spent(self) -> str:
        """Return words for the cost; they say if a part of it is not known."""
        known = dollars(self.cost)
        if not self.unknown:
            return known
        all_unknown = not self.cost
        return "cost unknown" if all_unknown else f"{known} and {self.unknown} of unknown cost"

    def summary(self) -> str:
        """Return a line on the whole run.

        Such as `98 of 100 done, 2 failed (1 try-later, 1 server), 812 in, 90 out, $0.01, 3.1 s`.
        """
        total = self.done + self.failed
        words = [f"{self.done} of {total} done" if self.failed else f"{self.done} done"]
        if self.failed:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items()))
            words.append(f"{self.failed} failed ({kinds})")
        if earlier := self.earlier_runs():
            words.append(earlier)
        if total:
            words += [self.tokens(), self.spent()]
        words.append(f"{time.monotonic() - self.started:.1f} s")
        return ", ".join(words)


def _was_answered(about: dict[str, Any]) -> bool:
    """Return True if a server answered at least in part, which it may have billed."""
    return any(attempt["status"] in _SUCCESS for attempt in about["attempts"])

"""How far a run over many records has come: counts, tokens, cost; as a line for people."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from llmcli.api.usage import Tokens, dollars
from llmcli.batch.worker import Outcome

# How many records are told of how much of the input has been read; None where nobody knows.
Fraction = Callable[[], float | None]
_OK = range(200, 300)
# Different warnings that are told apart.
_WARNINGS = 10
_OTHERS = "other warnings"


class Tally:
    """`before`: words on what earlier runs have done."""

    def __init__(self, before: Callable[[], str]) -> None:
        self.started = time.monotonic()
        self.before = before
        self.done = 0
        self.kinds: Counter[str] = Counter()
        self.first_failure: str | None = None
        self.warnings: Counter[str] = Counter()
        self.tokens_in = self.tokens_out = self.unknown = 0
        self.cost = Decimal(0)

    @property
    def failed(self) -> int:
        return sum(self.kinds.values())

    def add(self, outcome: Outcome) -> None:
        about = outcome.report["llmcli"]
        counts = Tokens.of(outcome.report["usage"])
        self.tokens_in += counts.prompt or 0
        self.tokens_out += counts.completion or 0
        if about["cost_usd"] is not None:
            self.cost += Decimal(str(about["cost_usd"]))
        elif counts.prompt is not None or _was_answered(about):
            self.unknown += 1
        for warning in outcome.warnings:
            known = warning in self.warnings or len(self.warnings) < _WARNINGS
            self.warnings[warning if known else _OTHERS] += 1
        if outcome.error is None:
            self.done += 1
        else:
            self.kinds[outcome.error.kind] += 1
            if self.first_failure is None:
                self.first_failure = f"record {outcome.task.index}: {outcome.error}"

    def warned(self) -> Iterator[str]:
        """Each warning once, with the number of records it is of."""
        for warning, count in self.warnings.items():
            yield f"warning: {warning}" + (f" ({count} records)" if count > 1 else "")

    def rate(self) -> float:
        """Records a second."""
        return (self.done + self.failed) / max(time.monotonic() - self.started, 1e-3)

    def tokens(self) -> str:
        if not (self.tokens_in or self.tokens_out):
            return "tokens unknown" if self.done or self.unknown else "no tokens"
        return f"{self.tokens_in} in, {self.tokens_out} out"

    def spent(self) -> str:
        """Unknown costs are never counted as nothing."""
        known = dollars(self.cost)
        if not self.unknown:
            return known
        all_unknown = not self.cost
        return "cost unknown" if all_unknown else f"{known} and {self.unknown} of unknown cost"

    def summary(self) -> str:
        """`98 of 100 done, 2 failed (1 try-later, 1 server), 812 in, 90 out, $0.01, 3.1 s`."""
        total = self.done + self.failed
        words = [f"{self.done} of {total} done" if self.failed else f"{self.done} done"]
        if self.failed:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items()))
            words.append(f"{self.failed} failed ({kinds})")
        if before := self.before():
            words.append(before)
        if total:
            words += [self.tokens(), self.spent()]
        words.append(f"{time.monotonic() - self.started:.1f} s")
        return ", ".join(words)


def _was_answered(about: dict[str, Any]) -> bool:
    """At least in part, which may have been billed."""
    return any(attempt["status"] in _OK for attempt in about["attempts"])

"""A bar on the terminal while many records are answered. rich is imported only here and for
tables."""

import sys
from decimal import Decimal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from llmcli.api.usage import dollars
from llmcli.batch.results.summary import Fraction, Tally

_WHOLE = 1000


class ProgressBar:
    def __init__(self, tally: Tally, fraction: Fraction) -> None:
        self._tally = tally
        self._fraction = fraction
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.__stderr__),
            transient=True,
            refresh_per_second=4,
        )
        self._task: TaskID = self._progress.add_task("", total=None)
        self._progress.start()

    def update(self) -> None:
        part = self._fraction()
        total, completed = (None, None) if part is None else (_WHOLE, part * _WHOLE)
        words = self._words(part)
        self._progress.update(self._task, total=total, completed=completed, description=words)

    def _words(self, part: float | None) -> str:
        tally = self._tally
        words = [f"{tally.done} done"]
        if tally.failed:
            words.append(f"{tally.failed} failed")
        words.append(f"{tally.rate():.1f}/s")
        words.append(f"{tally.tokens_in + tally.tokens_out} tokens")
        words.append(tally.spent())
        if part and tally.cost:
            words.append(f"about {dollars(tally.cost / Decimal(str(part)))} in all")
        return ", ".join(words)

    def end(self) -> None:
        self._progress.stop()

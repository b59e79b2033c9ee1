"""The progress bar that `map` shows on a terminal.

This module and `llmcli.output.table` alone import rich, which takes long to load.
"""

import sys
from decimal import Decimal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from llmcli.api.reply.cost import dollars
from llmcli.batch.results.summary import FractionRead, Tally

# Steps of the bar from its beginning to its end.
_STEPS = 1000


class ProgressBar:
    """A bar on stderr, with counts, rate, tokens and cost; it is shown as soon as it is created.

    `fraction_read` tells how much of the input has been read. While that is not known, the bar
    moves to and fro.
    """

    def __init__(self, tally: Tally, fraction_read: FractionRead) -> None:
        self._tally = tally
        self._fraction_read = fraction_read
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True),
            # Not sys.stdout, which would put the bar among the answers.
            console=Console(file=sys.__stderr__),
            transient=True,
            refresh_per_second=4,
        )
        self._task: TaskID = self._progress.add_task("", total=None)
        self._progress.start()

    def update(self) -> None:
        """Show the counts of the tally as they are now."""
        fraction = self._fraction_read()
        total, completed = (None, None) if fraction is None else (_STEPS, fraction * _STEPS)
        words = self._words(fraction)
        self._progress.update(self._task, total=total, completed=completed, description=words)

    def _words(self, fraction: float | None) -> str:
        tally = self._tally
        words = [f"{tally.done} done"]
        if tally.failed:
            words.append(f"{tally.failed} failed")
        words.append(f"{tally.rate():.1f}/s")
        words.append(f"{tally.tokens_in + tally.tokens_out} tokens")
        words.append(tally.spent())
        if fraction and tally.cost:
            words.append(f"about {dollars(tally.cost / Decimal(str(fraction)))} in all")
        return ", ".join(words)

    def end(self) -> None:
        """Remove the bar from the terminal."""
        self._progress.stop()

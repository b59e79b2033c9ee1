"""The progress bar that `map` shows on a terminal.

This module and `llmcli.output.table` alone import rich, which takes long to load.
"""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from llmcli.batch.results.summary import FractionRead, Tally

# Steps of the bar from its beginning to its end.
_STEPS = 1000


class ProgressBar:
    """A bar on stderr, with counts, rate, tokens and cost; it is shown as soon as it is created.

    `fraction_read` tells how much of the input has been read; while that is not known, the bar
    moves to and fro. `total` is the number of records, None if it is not known.
    """

    def __init__(self, tally: Tally, fraction_read: FractionRead, total: int | None) -> None:
        self._tally = tally
        self._total = total
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
        words = self._tally.progress(fraction, self._total)
        self._progress.update(self._task, total=total, completed=completed, description=words)

    def end(self) -> None:
        """Remove the bar from the terminal."""
        self._progress.stop()

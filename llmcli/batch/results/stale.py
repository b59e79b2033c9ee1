"""FILE.stale: the answers of earlier runs whose record or prompt is gone, as they were paid for."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from llmcli.batch.results.earlier import Counts, EarlierLines
from llmcli.batch.results.file import ResultFile
from llmcli.batch.task import Task
from llmcli.output.sink import write_file
from llmcli.system.environment import Environment

STALE = ".stale"


class StaleLines:
    """The lines of FILE.stale, of which a run that goes on takes those that it has a record for.

    `form` is that of the run; lines in another form stay as they are.
    """

    def __init__(self, name: str, form: str) -> None:
        self._path = name + STALE
        self._form = form
        self._file: ResultFile | None = None
        self._lines = EarlierLines()
        self._others: list[int] = []
        self._taken = False

    def read(self) -> None:
        """Read the file, if there is one. Raises CantCreate for a file of somebody else."""
        if not os.path.exists(self._path):
            return
        self._file = ResultFile(self._path)
        for entry in self._file.entries():
            if entry.form == self._form:
                self._lines.add(entry)
            else:
                self._others.append(entry.offset)

    def claim(self, task: Task, counts: Counts) -> int | None:
        """Take a line for the record of `task`, as `EarlierLines.claim` does."""
        offset = self._lines.claim(task, counts) if self._file else None
        self._taken = self._taken or offset is not None
        return offset

    def line_at(self, offset: int) -> bytes:
        """Return the line that begins at `offset`."""
        assert self._file
        return self._file.line_at(offset)

    def replace(self, environment: Environment, more: Iterable[bytes]) -> None:
        """Write the file anew: without the lines that were taken, and with `more` behind them.

        It is replaced in one step, and removed if no line is left. Raises CantCreate, WriteError.
        """
        if not write_file(environment, self._path, chain(self._kept(), more)):
            with suppress(OSError):
                os.unlink(self._path)

    @property
    def is_used(self) -> bool:
        """Return True if lines were taken."""
        return self._taken

    def _kept(self) -> Iterator[bytes]:
        if self._file:
            for offset in sorted((*self._lines.left_over(), *self._others)):
                yield self._file.line_at(offset)

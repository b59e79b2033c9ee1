"""The submission of batches: from tasks to files, uploads, and batches at the server."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llmcli.batch.results.line_index import LineIndex
from llmcli.batch.server.books import Books
from llmcli.batch.server.parts import ENDED, MADE, UPLOADED, Part
from llmcli.batch.server.progress import BatchResults
from llmcli.batch.server.requests_file import NOWHERE, FileLimits, RequestsFile, Tasks, place
from llmcli.batch.server.service import Service
from llmcli.batch.task import Task
from llmcli.chat.response_format import Shape
from llmcli.errors import LlmcliError, TooLong
from llmcli.spending import ledger
from llmcli.system.dataclass import dataclass

# The statuses of a file or batch that the server refuses for what is in it, now and later.
_REFUSED = (400, 404, 409, 413, 422)


@dataclass(frozen=True)
class Submitter:
    """Makes batches of tasks, so that a kill between any two steps loses and repeats nothing.

    `endpoint` is the `url.identity` of the server. `shape` is what the answers must be.
    """

    service: Service
    books: Books
    results: BatchResults
    endpoint: str
    shape: Shape
    limits: FileLimits = FileLimits()

    def recovered(self, parts: Sequence[Part]) -> list[Part]:
        """Return those of the `parts` of an earlier run that have a batch, or get it now.

        One whose file never reached the server has cost nothing: its records are asked anew.
        """
        return [part for part in parts if self._recover(part)]

    def _recover(self, part: Part) -> bool:
        if part.file_id is None:
            part.file_id = self.service.find_file(part)
            if part.file_id is None:
                self._give_up(part)
                return False
            self.results.step(part, UPLOADED)
        if part.batch_id is None:
            batch = self.service.find_batch(part)
            if batch is None:
                self._make(part)
            else:
                part.batch_id = batch.id
                self.results.step(part, MADE)
        return True

    def collect(
        self, tasks: Iterator[Task], parts: Sequence[Part]
    ) -> tuple[Tasks, list[RequestsFile], list[int]]:
        """Return all tasks with their places, and files of those that are in none of `parts`.

        The places in `parts` whose records are gone come last.
        """
        kept, known = Tasks(), LineIndex()
        for number, part in enumerate(parts):
            for line in range(part.count):
                known.add(part.key(line), place(number, line))
        files = _Files(self, len(parts))
        for task in tasks:
            found = known.claim(task.key) if len(known) else None
            if found:
                kept.add(task, found[0])
            elif task.request is None:
                kept.add(task, NOWHERE)
            else:
                try:
                    kept.add(task, files.add(task))
                except TooLong as error:
                    kept.add(task._replace(request=None, problem=error), NOWHERE)
        return kept, files.closed(), list(known.unclaimed())

    def submit(self, files: Sequence[RequestsFile]) -> list[Part]:
        """Upload the files, make a batch of each, and return their parts.

        Raises BudgetExceeded if all together might cost too much; then nothing was sent.
        """
        parts = [file.part for file in files]
        if files:
            self.books.reserve(files, lambda: self.results.plan(parts))
        for file in files:
            with file.file:
                self._upload(file)
            self._make(file.part)
        return parts

    def _upload(self, file: RequestsFile) -> None:
        part = file.part
        with self._given_up_if_refused(part):
            part.file_id = self.service.upload(part, file.file)
        self.results.step(part, UPLOADED)

    def _make(self, part: Part) -> None:
        with self._given_up_if_refused(part):
            part.batch_id = self.service.make(part).id
        self.results.step(part, MADE)

    @contextmanager
    def _given_up_if_refused(self, part: Part) -> Iterator[None]:
        """Give up a part whose step the server refuses, which would be refused again."""
        try:
            yield
        except LlmcliError as error:
            if error.status in _REFUSED:
                self._give_up(part)
            raise

    def _give_up(self, part: Part) -> None:
        self.books.drop(part)
        self.results.step(part, ENDED)


class _Files:
    """The files that tasks are added to: one at a time for each model, as a batch has one model."""

    def __init__(self, submitter: Submitter, first: int) -> None:
        self._submitter = submitter
        self._first = first
        self._run = os.urandom(8).hex()
        self._all: list[RequestsFile] = []
        self._open: dict[str, int] = {}

    def add(self, task: Task) -> int:
        """Add a task and return its place. Raises TooLong, and Unbounded if a limit needs a bound.

        Before anything is written: the bound of the request may be what is not known.
        """
        assert task.request is not None
        own, model = self._submitter, task.request["model"]
        usd = own.books.bound(task.request)
        number = self._open.get(model)
        line = None
        if number is not None:
            line = self._all[number].add(task, own.service.path, own.shape, own.limits)
        if number is None or line is None:
            number = self._begin(model)
            line = self._all[number].add(task, own.service.path, own.shape, own.limits)
            assert line is not None
        self._all[number].bounds.append(None if usd is None else float(usd))
        return place(self._first + number, line)

    def _begin(self, model: str) -> int:
        number = len(self._all)
        part = Part(
            self._run, number + 1, self._submitter.endpoint, model, ledger.now(), size=0, records=""
        )
        self._all.append(RequestsFile(part))
        self._open[model] = number
        return number

    def closed(self) -> list[RequestsFile]:
        """Return all files, to which nothing is added any more."""
        for file in self._all:
            file.close()
        return self._all

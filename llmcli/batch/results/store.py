"""Results of `map` in a file, kept as they come, so that a run that was killed can go on.

JSON lines are written to the file itself. Where that is text, or somebody's from before, they go
to a file of progress beside it, and it is replaced once the run has come to its end.
"""

import os
import stat
from array import array
from collections.abc import Iterator
from contextlib import suppress

from llmcli.batch.results.file import ResultFile, holds_lines
from llmcli.batch.results.formats import Form
from llmcli.batch.worker import Task
from llmcli.errors import CantCreate, NoInput
from llmcli.output.json import line
from llmcli.output.sink import names_descriptor, open_sink
from llmcli.system import jsonl
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

PROGRESS = ".progress"
_OTHER_FORM = "give the options it was made with, or another FILE"
_NOT_YET = -1
_AT_ONCE = 256


@dataclass
class Counts:
    """Of the records that were seen: answered before, failed before, another than before at its
    number, never seen."""

    done: int = 0
    failed: int = 0
    changed: int = 0
    new: int = 0


class Results:
    """`form`: that of the run, and so of the file. `ordered`: in the order of the input, rather
    than as they came.

    Raises CantCreate, NoInput, TryLater."""

    def __init__(
        self,
        environment: Environment,
        name: str,
        resume: bool,
        ordered: bool,
        form: Form,
    ) -> None:
        self._environment = environment
        self._name = name
        self._ordered = ordered
        self._form = form.name
        self._shown = form.of_line
        # Where the line of each record begins.
        self._order = array("q")
        self._answered: dict[str, list[int]] = {}
        self._failed: dict[str, list[int]] = {}
        self._replaced: set[str] = set()
        self._indexes: set[int] = set()
        self._lines = 0
        self.counts = Counts()
        self._resumed = resume
        self._target = None if form.of_line else ResultFile(name)
        self._file = self._open(resume)
        if resume:
            self._read()

    def _open(self, resume: bool) -> ResultFile:
        """The file that is appended to."""
        progress = self._name + PROGRESS
        there = _size(progress)
        if self._shown and resume and not there and _size(self._name):
            problem = f"{self._name} is there, but no {progress} to go on with"
            raise CantCreate(problem, hint=_OTHER_FORM)
        # Each locks its own first, so that of two runs at least one sees the other.
        if self._target and not there and (resume or not self._target.size):
            self._locks = [ResultFile(progress)] if os.path.exists(progress) else []
            return self._target
        if not resume and holds_lines(self._name):
            said = "is kept until the end, and then replaced; --resume would go on with it"
            self._environment.note(f"{self._name} {said}")
        file = ResultFile(progress)
        if self._shown and os.path.exists(self._name):
            self._locks = [ResultFile(self._name)]
        file.check()
        if not resume and file.size:
            self._environment.note(f"{progress} is begun anew; --resume would have gone on")
            file.clear()
        return file

    @property
    def path(self) -> str:
        """Of what is there if the run does not come to its end."""
        return self._file.path

    def _read(self) -> None:
        for entry in self._file.entries():
            if entry.form != self._form:
                problem = f"{self._file.path} holds {entry.form} results, not {self._form}"
                raise CantCreate(problem, hint=_OTHER_FORM)
            kind = self._answered if entry.ok else self._failed
            kind.setdefault(entry.key, []).append(entry.offset)
            self._indexes.add(entry.index)
            self._lines += 1

    def is_done(self, index: int, key: str) -> bool:
        """Whether the record has its answer. Each answer is that of one record."""
        self._place(index, _NOT_YET)
        if key in self._failed:
            self._replaced.add(key)
        if places := self._answered.get(key):
            self._place(index, places.pop(0))
            self.counts.done += 1
            return True
        if key in self._failed:
            self.counts.failed += 1
        elif index in self._indexes:
            self.counts.changed += 1
        else:
            self.counts.new += 1
        return False

    def said(self) -> str:
        """What was found, of a run that goes on."""
        if not self._resumed:
            return ""
        counts = self.counts
        words = [f"{counts.done} done before"]
        words += [f"{counts.failed} failed before"] if counts.failed else []
        words += [f"{counts.changed} changed"] if counts.changed else []
        return f"resumed: {', '.join([*words, f'{counts.new} new'])}"

    def has_failed(self, key: str) -> bool:
        return key in self._failed

    def check_something_failed(self) -> None:
        """Raises NoInput where there is nothing to try again."""
        if not self._lines:
            raise NoInput(f"{self._name} has no results to try again", hint="begin with --resume")

    def add(self, index: int, text: bytes) -> None:
        """Raises WriteError."""
        self._place(index, self._file.append(text))
        self._lines += 1

    def _place(self, index: int, offset: int) -> None:
        while len(self._order) <= index:
            self._order.append(_NOT_YET)
        self._order[index] = offset

    def finish(self) -> None:
        """The run has come to its end: bring the file into its last form. Raises WriteError."""
        if self._file is self._target and self._file.is_in_place() and self._is_in_order():
            return
        sink = open_sink(self._environment, self._name)
        try:
            waiting: list[bytes] = []
            for text in self._last_form():
                waiting.append(text)
                if len(waiting) == _AT_ONCE:
                    sink.write(b"".join(waiting))
                    waiting.clear()
            sink.write(b"".join(waiting))
            sink.commit()
        except BaseException:
            sink.abort(keep=False)
            raise
        if self._target and self._file is not self._target:
            with suppress(FileNotFoundError):
                os.unlink(self._file.path)

    def _is_in_order(self) -> bool:
        """Whether the file has each line that it should have, in its place, and no other."""
        count, before = 0, _NOT_YET
        for offset in self._offsets():
            if offset <= before:
                return False
            count, before = count + 1, offset
        return count == self._lines

    def _offsets(self) -> Iterator[int]:
        """First what belongs to no record of this run, and has been paid for."""
        if self._shown is None:
            failed = (at for key, at in self._failed.items() if key not in self._replaced)
            left = (*self._answered.values(), *failed)
            yield from sorted(offset for offsets in left for offset in offsets)
        if self._ordered and self._shown:
            yield from self._order
            return
        kept = (offset for offset in self._order if offset != _NOT_YET)
        yield from kept if self._ordered else sorted(kept)

    def _last_form(self) -> Iterator[bytes]:
        numbers = {at: index for index, at in enumerate(self._order)} if self._resumed else {}
        for offset in self._offsets():
            text = b"" if offset == _NOT_YET else self._file.line_at(offset)
            if self._shown:
                yield self._shown(jsonl.parse_record(text))
            else:
                yield _renumbered(text, numbers[offset]) if offset in numbers else text


def _renumbered(text: bytes, index: int) -> bytes:
    """The line with the number that its record has now."""
    value = jsonl.parse_record(text)
    about = value.get("llmcli") if value and "custom_id" in value else value
    if value is None or not isinstance(about, dict) or about.get("index") == index:
        return text
    about["index"] = index
    return line(value)


def _size(name: str) -> int:
    with suppress(OSError):
        return os.stat(name).st_size
    return 0


def is_regular(name: str) -> bool:
    """Or not there yet."""
    if names_descriptor(name):
        return False
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


def is_there(name: str) -> bool:
    """With results, or beside them."""
    return bool(_size(name) or _size(name + PROGRESS))


def remaining(tasks: Iterator[Task], results: Results, retry_failed: bool) -> Iterator[Task]:
    """Those that have no answer yet; with `retry_failed` only those that have failed."""
    if retry_failed:
        results.check_something_failed()
    for task in tasks:
        done = results.is_done(task.index, task.key)
        if not done and (not retry_failed or results.has_failed(task.key)):
            yield task

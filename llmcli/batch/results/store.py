"""The results of `map -O FILE`, written as they arrive so that a killed run can go on.

In JSON and batch form the lines go into FILE itself. In text form, or where FILE has something in
it already, they go into FILE.progress, and FILE is replaced when the run ends.
"""

import os
import stat
from array import array
from collections.abc import Iterator
from contextlib import suppress

from llmcli.batch.results.file import ResultFile, holds_lines
from llmcli.batch.results.formats import Form
from llmcli.batch.task import Task
from llmcli.errors import CantCreate, NoInput
from llmcli.output.json import line
from llmcli.output.sink import names_descriptor, open_sink
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.files import jsonl

PROGRESS = ".progress"
_OTHER_FORM = "give the options it was made with, or another FILE"
# The offset of a record that has no line.
_NO_LINE = -1
# Lines that are written at once when the file gets its final form.
_BATCH = 256


@dataclass
class Counts:
    """What earlier runs did with the records of this run, as far as this run has come.

    `done` were answered and `failed` failed. In the place of a record that is `changed`, an earlier
    run saw another one. `new` were seen by no earlier run.
    """

    done: int = 0
    failed: int = 0
    changed: int = 0
    new: int = 0


class Results:
    """The file `name`, or the file of progress beside it, to which results are added.

    `form` is that of the run, and so of the file. With `resume` the lines of earlier runs are read
    and kept. If `ordered`, the lines get the order of the input when the run ends; otherwise they
    stay as they came. Raises CantCreate for a file that cannot be written or is not a file of
    results in this form, TryLater while another process writes it.
    """

    def __init__(
        self, environment: Environment, name: str, form: Form, *, resume: bool, ordered: bool
    ) -> None:
        self._environment = environment
        self._name = name
        self._ordered = ordered
        self._form = form.name
        self._from_line = form.from_line
        self._head = form.head
        # The offset of the line of each record, by its number. An array takes 8 bytes a record, as
        # a run may have millions of them.
        self._offset_of = array("q")
        # The offsets of the lines of earlier runs, by the key of the record. Several records may be
        # the same, and then have the same key.
        self._answered: dict[str, list[int]] = {}
        self._failed: dict[str, list[int]] = {}
        # The keys of failures whose record is in this run as well.
        self._seen_again: set[str] = set()
        self._earlier_indexes: set[int] = set()
        self._lines = 0
        self.counts = Counts()
        self._resumed = resume
        self._target = None if form.from_line else ResultFile(name)
        self._file = self._open(resume=resume)
        if resume:
            self._read()

    def _open(self, *, resume: bool) -> ResultFile:
        """Return the file to append to: FILE itself or FILE.progress."""
        progress = self._name + PROGRESS
        has_progress = _size(progress)
        if self._from_line and resume and not has_progress and _size(self._name):
            problem = f"cannot go on with {self._name}: there is no {progress}"
            raise CantCreate(problem, hint=_OTHER_FORM)
        # Two runs may use the same FILE in different forms. Each opens, and so locks, first the
        # file that it writes and then the other one. So at least one of them sees the other.
        if self._target and not has_progress and (resume or not self._target.size):
            self._locks = [ResultFile(progress)] if os.path.exists(progress) else []
            return self._target
        if not resume and holds_lines(self._name):
            fate = "is kept until the end, and then replaced; --resume would go on with it"
            self._environment.note(f"{self._name} {fate}")
        file = ResultFile(progress)
        if self._from_line and os.path.exists(self._name):
            self._locks = [ResultFile(self._name)]
        file.check()
        if not resume and file.size:
            self._environment.note(f"{progress} was emptied; --resume would have gone on with it")
            file.clear()
        return file

    @property
    def path(self) -> str:
        """Return the path of the file that has the results until the run ends."""
        return self._file.path

    def _read(self) -> None:
        """Read the lines of earlier runs. Raises CantCreate for a line in another form."""
        for entry in self._file.entries():
            if entry.form != self._form:
                problem = f"{self._file.path} holds {entry.form} results, not {self._form}"
                raise CantCreate(problem, hint=_OTHER_FORM)
            offsets = self._answered if entry.ok else self._failed
            offsets.setdefault(entry.key, []).append(entry.offset)
            self._earlier_indexes.add(entry.index)
            self._lines += 1

    def claim_answer(self, index: int, key: str) -> bool:
        """Take an answer of an earlier run for record number `index`; return True if there is one.

        Each answer is taken once, so that records that are the same get one each.
        """
        self._set_offset(index, _NO_LINE)
        if key in self._failed:
            self._seen_again.add(key)
        if offsets := self._answered.get(key):
            self._set_offset(index, offsets.pop(0))
            self.counts.done += 1
            return True
        if key in self._failed:
            self.counts.failed += 1
        elif index in self._earlier_indexes:
            self.counts.changed += 1
        else:
            self.counts.new += 1
        return False

    def resume_summary(self) -> str:
        """Return words for the counts of a run that goes on; an empty text for any other run."""
        if not self._resumed:
            return ""
        counts = self.counts
        words = [f"{counts.done} done before"]
        words += [f"{counts.failed} failed before"] if counts.failed else []
        words += [f"{counts.changed} changed"] if counts.changed else []
        return f"resumed: {', '.join([*words, f'{counts.new} new'])}"

    def has_failed(self, key: str) -> bool:
        """Return True if a record with this key failed in an earlier run."""
        return key in self._failed

    def check_has_lines(self) -> None:
        """Raise NoInput if there are no results of an earlier run."""
        if not self._lines:
            raise NoInput(f"{self._name} has no results to try again", hint="begin with --resume")

    def add(self, index: int, line: bytes) -> None:
        """Append the line of record number `index`. Raises WriteError."""
        self._set_offset(index, self._file.append(line))
        self._lines += 1

    def _set_offset(self, index: int, offset: int) -> None:
        while len(self._offset_of) <= index:
            self._offset_of.append(_NO_LINE)
        self._offset_of[index] = offset

    def finish(self) -> None:
        """Bring FILE into its final form, once the run has come to its end.

        FILE is replaced in one step, unless it is in its final form already. Raises CantCreate and
        WriteError where that fails; the results then stay where they are.
        """
        if self._file is self._target and self._file.is_in_place() and self._is_final():
            return
        sink = open_sink(self._environment, self._name)
        try:
            waiting: list[bytes] = [self._head]
            for text in self._final_lines():
                waiting.append(text)
                if len(waiting) == _BATCH:
                    sink.write(b"".join(waiting))
                    waiting.clear()
            sink.write(b"".join(waiting))
            sink.commit()
        except BaseException:
            sink.abort(keep=False)
            raise
        # In text form the file of progress stays: the next run with --resume needs its lines.
        if self._target and self._file is not self._target:
            with suppress(FileNotFoundError):
                os.unlink(self._file.path)

    def _is_final(self) -> bool:
        """Return True if the file has every line that it should have, in order, and no other."""
        count, before = 0, _NO_LINE
        for offset in self._final_offsets():
            if offset <= before:
                return False
            count, before = count + 1, offset
        return count == self._lines

    def _final_offsets(self) -> Iterator[int]:
        """Yield the offsets of the lines of the final form, in its order.

        Lines of earlier runs whose record is not in this run come first: their answers were paid
        for and must not be lost. In text form they stay in the file of progress only.
        """
        if self._from_line is None:
            failed = (at for key, at in self._failed.items() if key not in self._seen_again)
            left_over = (*self._answered.values(), *failed)
            yield from sorted(offset for offsets in left_over for offset in offsets)
        if self._ordered and self._from_line:
            yield from self._offset_of  # also _NO_LINE, which becomes an empty line
            return
        kept = (offset for offset in self._offset_of if offset != _NO_LINE)
        yield from kept if self._ordered else sorted(kept)

    def _final_lines(self) -> Iterator[bytes]:
        # A line of an earlier run has the number that its record had there.
        index_at = {at: index for index, at in enumerate(self._offset_of)} if self._resumed else {}
        for offset in self._final_offsets():
            text = b"" if offset == _NO_LINE else self._file.line_at(offset)
            if self._from_line:
                yield self._from_line(jsonl.parse_record(text))
            else:
                yield _renumbered(text, index_at[offset]) if offset in index_at else text


def _renumbered(text: bytes, index: int) -> bytes:
    """Return the line with the number that its record has in this run."""
    value = jsonl.parse_record(text)
    about = value.get("llmcli") if value and "custom_id" in value else value
    if value is None or not isinstance(about, dict) or about.get("index") == index:
        return text
    about["index"] = index
    return line(value)


def _size(name: str) -> int:
    """Return the size of the file in bytes; 0 if it does not exist."""
    with suppress(OSError):
        return os.stat(name).st_size
    return 0


def is_regular(name: str) -> bool:
    """Return True if `name` is a regular file or does not exist, False for a device or a pipe."""
    if names_descriptor(name):
        return False
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


def is_begun(name: str) -> bool:
    """Return True if the file `name` or the file of progress beside it has something in it."""
    return bool(_size(name) or _size(name + PROGRESS))


def remaining(tasks: Iterator[Task], results: Results, *, retry_failed: bool) -> Iterator[Task]:
    """Yield the tasks that have no answer yet; with `retry_failed` only those that failed.

    Raises NoInput if `retry_failed` is True and there are no results of an earlier run.
    """
    if retry_failed:
        results.check_has_lines()
    for task in tasks:
        answered = results.claim_answer(task.index, task.key)
        if not answered and (not retry_failed or results.has_failed(task.key)):
            yield task

"""The results of `map -O FILE`, written as they arrive so that a killed run can go on.

In JSON and batch form the lines go into FILE itself. In text form, or where FILE has something in
it already, they go into FILE.progress, and FILE is replaced when the run ends. FILE.unfinished
stands beside them until then.
"""

import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum

from llmcli.batch.results.earlier import Counts, EarlierLines
from llmcli.batch.results.entry import renumbered
from llmcli.batch.results.file import ResultFile, holds_lines, number_of_lines
from llmcli.batch.results.formats import Form, all_shown
from llmcli.batch.results.stale import StaleLines
from llmcli.batch.task import Task
from llmcli.errors import CantCreate, NoInput
from llmcli.output.sink import write_file
from llmcli.system.environment import Environment
from llmcli.system.files.records import Record, parse_record

PROGRESS, UNFINISHED = ".progress", ".unfinished"
_OTHER_FORM = "give the options it was made with, or another FILE"
# The offset of a record that has no line; the offsets in FILE.stale are counted down from the next.
_NO_LINE, _FIRST_STALE = -1, -2


class Begin(Enum):
    """What a run does with what earlier runs left in its file."""

    NEW = "it must have come to its end"
    RESTART = "it is begun anew"
    RESUME = "it is gone on with"


class Results:
    """The file `name`, or the file of progress beside it, to which results are added.

    `form` is that of the run, and so of the file. With Begin.RESUME the lines of earlier runs are
    read and kept, and with `retry_failed` all that failed is asked again. If `ordered`, the lines
    get the order of the input when the run ends; otherwise they stay as they came. Raises
    CantCreate for a file that cannot be written or is not a file of results in this form, and with
    Begin.NEW for one of a run that has not come to its end; TryLater while another process writes.
    """

    in_place = True  # whether lines may go into FILE itself

    def __init__(
        self,
        environment: Environment,
        name: str,
        form: Form,
        begin: Begin,
        *,
        ordered: bool,
        retry_failed: bool = False,
    ) -> None:
        self._environment = environment
        self._name = name
        self._ordered = ordered
        self._form = form.name
        self._from_line, self._answers = form.from_line, form
        # The offset of the line of each record, by its number: in the file, or by `_in_stale` in
        # FILE.stale. An array takes 8 bytes a record, as a run may have millions of them.
        self._offset_of = array("q")
        self._earlier = EarlierLines(retry_failed)
        self._stale = StaleLines(name, form.name)
        self._lines = 0
        self.counts = Counts()
        self._resumed = begin is Begin.RESUME
        self._begun = False
        self._target = None if form.from_line else ResultFile(name)
        self._file = self._open(begin)
        if self._resumed:
            self._read()

    def _open(self, begin: Begin) -> ResultFile:
        """Return the file to append to: FILE itself or FILE.progress."""
        progress = self._name + PROGRESS
        resume, has_progress = begin is Begin.RESUME, _size(progress)
        if self._from_line and resume and not has_progress and _size(self._name):
            problem = f"cannot go on with {self._name}: there is no {progress}"
            raise CantCreate(problem, hint=_OTHER_FORM)
        if self._target and begin is Begin.NEW and not has_progress:
            self._check_finished(self._target)
        # Two runs may use the same FILE in different forms. Each opens, and so locks, first the
        # file that it writes and then the other one. So at least one of them sees the other.
        in_place = self.in_place and not has_progress
        if self._target and in_place and (resume or not self._target.size):
            self._locks = [ResultFile(progress)] if os.path.exists(progress) else []
            return self._target
        if not resume and holds_lines(self._name):
            fate = "is kept until the end, and then replaced; --resume would go on with it"
            self._environment.note(f"{self._name} {fate}")
        file = ResultFile(progress)
        if self._from_line and os.path.exists(self._name):
            self._locks = [ResultFile(self._name)]
        file.check()
        if begin is Begin.NEW:
            self._check_finished(file)
        if not resume and file.size:
            self._environment.note(f"{progress} was emptied; --resume would have gone on with it")
            file.clear()
        return file

    def _check_finished(self, file: ResultFile) -> None:
        """Raise CantCreate if `file` has answers of a run that has not come to its end."""
        if not file.size or not self._is_unfinished(file):
            return
        if any(entry.ok or entry.its_own for entry in file.entries()):
            problem = f"{file.path} has the answers of a run that did not come to its end"
            raise CantCreate(problem, hint="go on with --resume, or begin anew with --restart")

    def _is_unfinished(self, file: ResultFile) -> bool:
        if os.path.exists(self._name + UNFINISHED):
            return True
        # 0.1 left no such sign. It removed the progress of JSON at the end; and text was whole once
        # it had a line for each answer. What it left of JSON without progress cannot be told.
        if file is self._target:
            return False
        answers = sum(entry.ok for entry in file.entries())
        return self._target is not None or number_of_lines(self._name) < answers

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
            self._earlier.add(entry)
        self._lines = self._earlier.count
        self._stale.read()

    def claim_answer(self, task: Task) -> bool:
        """Take a line of an earlier run for the record of `task`; return True if there is one."""
        offset = self._earlier.claim(task, self.counts)
        if offset is None and (stale := self._stale.claim(task, self.counts)) is not None:
            offset = _FIRST_STALE - stale
        self._set_offset(task.index, _NO_LINE if offset is None else offset)
        if self.has_failed(task) and offset is None:
            self.counts.failed += 1
        elif offset is None and self._earlier.has_number(task.index):
            self.counts.changed += 1
        elif offset is None:
            self.counts.new += 1
        return offset is not None

    def has_failed(self, task: Task) -> bool:
        """Return True if the record failed in an earlier run, in such a way that it is asked again.

        Its lines there are not kept.
        """
        return self._earlier.has_failed(task)

    def resume_summary(self) -> str:
        """Return words for the counts of a run that goes on; an empty text for any other run."""
        return str(self.counts) if self._resumed else ""

    def check_has_lines(self) -> None:
        """Raise NoInput if there are no results of an earlier run."""
        if not self._lines:
            raise NoInput(f"{self._name} has no results to try again", hint="begin with --resume")

    def add(self, index: int, line: bytes) -> None:
        """Append the line of record number `index`. Raises WriteError."""
        self._mark_begun()
        self._set_offset(index, self._file.append(line))
        self._lines += 1

    def _mark_begun(self) -> None:
        if not self._begun:
            self._begun = True
            # A folder that cannot be written has no such sign: the run is then not protected.
            with suppress(OSError):
                # Without O_NONBLOCK a FIFO of that name would be waited for.
                flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
                os.close(os.open(self._name + UNFINISHED, flags, 0o666))

    def _set_offset(self, index: int, offset: int) -> None:
        missing = index - len(self._offset_of)
        if missing < 0:
            self._offset_of[index] = offset
            return
        if missing:
            self._offset_of.extend([_NO_LINE] * missing)
        self._offset_of.append(offset)

    def finish(self) -> None:
        """Bring FILE into its final form, once the run has come to its end.

        FILE is replaced in one step, unless it is final already. Lines of earlier runs whose record
        is not in this run go to FILE.stale. Raises CantCreate, WriteError; then the results stay.
        """
        gone = self._earlier.left_over()
        in_place = self._file is self._target and self._file.is_in_place()
        if not (in_place and self._is_final(gone)):
            if gone or self._stale.is_used:
                self._stale.replace(self._environment, map(self._file.line_at, gone))
            write_file(self._environment, self._name, self._final_lines())
            # In text form the file of progress stays: the next run with --resume needs its lines.
            if self._target is None and (gone or self._stale.is_used):
                write_file(self._environment, self._file.path, self._lines_in_order())
            elif self._target and self._file is not self._target:
                _remove(self._file.path)
        else:
            self._file.sync()
        _remove(self._name + UNFINISHED)

    def _is_final(self, gone: Iterable[int]) -> bool:
        """Return True if the file has every line that it should have, in order, and no other.

        `gone` are the lines that it should not have. 0.1 left them at its beginning, and there they
        stay as long as nothing is asked.
        """
        if self._stale.is_used or (gone and (self._begun or not self._earlier.is_of_0_1)):
            return False
        count, before = 0, _NO_LINE
        for offsets in (gone, self._kept_offsets()):
            for offset in offsets:
                if offset <= before:
                    return False
                count, before = count + 1, offset
        return count == self._lines

    def _kept_offsets(self) -> Iterator[int]:
        """Yield the offsets of the lines of this run, in the order of their final form."""
        kept = (offset for offset in self._offset_of if offset != _NO_LINE)
        return kept if self._ordered else iter(sorted(kept))

    def _lines_in_order(self) -> Iterator[bytes]:
        """Yield the lines as the file keeps them, with the numbers that their records have now."""
        numbered = enumerate(self._offset_of)
        for index, offset in numbered if self._ordered else sorted(numbered, key=lambda n: n[1]):
            if offset != _NO_LINE:
                text = self._line_at(offset)
                yield renumbered(text, index) if self._resumed else text

    def _final_lines(self) -> Iterator[bytes]:
        if self._from_line is None:
            yield from self._lines_in_order()
            return
        # A record without a line becomes an empty line, where the order counts.
        offsets = self._offset_of if self._ordered else self._kept_offsets()
        yield from all_shown(self._answers, map(self._record_at, offsets))

    def _record_at(self, offset: int) -> Record | None:
        """Return the object of the line at `offset`; None where a record has no line.

        Raise CantCreate for a line that somebody has damaged: of an answer only the beginning was
        read until now, and its loss must not go unseen.
        """
        text = b"" if offset == _NO_LINE else self._line_at(offset)
        record = parse_record(text)
        if record is None and text.strip():
            problem = f"{self._file.path}: the line with {text[:60].decode(errors='replace')!r} …"
            hint = "remove that line; then --resume asks its record again"
            raise CantCreate(f"{problem} is damaged", hint=hint)
        return record

    def _line_at(self, offset: int) -> bytes:
        if offset <= _FIRST_STALE:
            return self._stale.line_at(_FIRST_STALE - offset)
        return self._file.line_at(offset)


def _size(name: str) -> int:
    """Return the size of the file in bytes; 0 if it does not exist."""
    with suppress(OSError):
        return os.stat(name).st_size
    return 0


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)


def is_begun(name: str) -> bool:
    """Return True if the file `name` or the file of progress beside it has something in it."""
    return bool(_size(name) or _size(name + PROGRESS))

"""Results of `map` in a file, kept as they come, so that a run that was killed can go on.

JSON lines are written to the file itself. Where that is text, or yesterday's, they go to a file of
progress beside it, and it is replaced once the run has come to its end.
"""

import os
import stat
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from .answering import Task
from .dataclass import dataclass
from .environment import Environment
from .output.json import line
from .output.sink import open_sink
from .result_file import ResultFile, parsed

PROGRESS = ".progress"
_NOT_YET = -1
_MANY = 1 << 16

# Where a line stands: twice its offset, and one more in the file of progress.
Place = int


@dataclass
class Counts:
    """Of the records that were seen: answered before, failed before, changed since, never seen."""

    done: int = 0
    failed: int = 0
    changed: int = 0
    new: int = 0


class Results:
    """`shown`: the text of a line where the file is text. `ordered`: in the order of the input,
    rather than as they came. Raises CantCreate, TryLater."""

    def __init__(
        self,
        environment: Environment,
        name: str,
        resume: bool,
        ordered: bool,
        shown: Callable[[dict[str, Any]], bytes] | None,
    ) -> None:
        self._environment = environment
        self._name = name
        self._ordered = ordered
        self._shown = shown
        self._order = array("q")
        self._answered: dict[str, list[Place]] = {}
        self._failed: dict[str, list[Place]] = {}
        self._indexes: set[int] = set()
        self._lines = 0
        self.counts = Counts()
        self._resumed = resume
        self._files = self._open(name, resume)
        if resume:
            self._read()

    def _open(self, name: str, resume: bool) -> list[ResultFile]:
        """The file itself and that of progress; the last is appended to."""
        progress = name + PROGRESS
        files = [] if self._shown else [ResultFile(name)]
        fresh = not resume and not (files and not files[0].size)
        if self._shown or fresh or (resume and os.path.exists(progress)):
            files.append(ResultFile(progress))
        elif os.path.exists(progress):  # of a run before the file was removed
            self._begin_anew(ResultFile(progress))
            os.unlink(progress)
        if not resume:
            self._begin_anew(files[-1])
        return files

    def _begin_anew(self, file: ResultFile) -> None:
        if file.size:
            self._environment.note(f"{file.path} is begun anew; --resume would have gone on")
            file.clear()

    def _read(self) -> None:
        for number, file in enumerate(self._files):
            source = number if len(self._files) > 1 else int(self._shown is not None)
            for entry in file.entries():
                kind = self._answered if entry.ok else self._failed
                kind.setdefault(entry.key, []).append(entry.offset * 2 + source)
                self._indexes.add(entry.index)
                self._lines += 1

    def is_done(self, index: int, key: str) -> bool:
        """Whether the record has its answer. Each answer is that of one record."""
        places = self._answered.get(key)
        if places:
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
        counts = vars(self.counts)
        if not self._resumed:
            return ""
        words = [f"{count} {name}" for name, count in counts.items() if count]
        return f"resumed: {', '.join(words) or 'nothing to do'}"

    def has_failed(self, key: str) -> bool:
        return key in self._failed

    def add(self, index: int, key: str, text: bytes) -> None:
        """Raises WriteError."""
        source = int(len(self._files) > 1 or self._shown is not None)
        self._place(index, self._files[-1].append(text) * 2 + source)
        self._lines += 1
        if failed := self._failed.get(key):
            failed.pop(0)  # this one stands for it

    def _place(self, index: int, place: Place) -> None:
        while len(self._order) <= index:
            self._order.append(_NOT_YET)
        self._order[index] = place

    def finish(self) -> None:
        """The run has come to its end: bring the file into its last form. Raises WriteError."""
        if self._shown is None and len(self._files) == 1 and self._is_in_order():
            return
        sink = open_sink(self._environment, self._name)
        waiting: list[bytes] = []
        for text in self._last_form():
            waiting.append(text)
            if len(waiting) >= _MANY // 256:
                sink.write(b"".join(waiting))
                waiting.clear()
        sink.write(b"".join(waiting))
        sink.commit()
        if self._shown is None and len(self._files) > 1:
            os.unlink(self._name + PROGRESS)

    def _is_in_order(self) -> bool:
        """Whether the file has each line that it should have, in its place, and no other."""
        count, before = 0, _NOT_YET
        for place in self._places():
            if place <= before:
                return False
            count, before = count + 1, place
        return count == self._lines

    def _places(self) -> Iterator[Place]:
        """First what belongs to no record of this run, and has been paid for."""
        if self._shown is None:
            left = (*self._answered.values(), *self._failed.values())
            yield from sorted(place for places in left for place in places)
        kept = (place for place in self._order if place != _NOT_YET)
        yield from kept if self._ordered else sorted(kept, key=lambda place: (place & 1, place))

    def _last_form(self) -> Iterator[bytes]:
        numbers = {place: index for index, place in enumerate(self._order)} if self._resumed else {}
        for place in self._places():
            text = self._files[-1 if place & 1 else 0].line_at(place // 2)
            if self._shown:
                yield self._shown(parsed(text) or {})
            else:
                yield _renumbered(text, numbers[place]) if place in numbers else text


def _renumbered(text: bytes, index: int) -> bytes:
    """The line with the number that its record has now."""
    value = parsed(text)
    about = value.get("llmcli") if value and "custom_id" in value else value
    if value is None or not isinstance(about, dict) or about.get("index") == index:
        return text
    about["index"] = index
    return line(value)


def is_regular(name: str) -> bool:
    """Or not there yet."""
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


def remaining(tasks: Iterator[Task], results: Results, retry_failed: bool) -> Iterator[Task]:
    """Those that have no answer yet; with `retry_failed` only those that have failed."""
    for task in tasks:
        done = results.is_done(task.index, task.key)
        if not done and (not retry_failed or results.has_failed(task.key)):
            yield task

"""What earlier runs left in a file of results: which records are answered, and by which lines."""

from array import array

from llmcli.batch.results.entry import Entry
from llmcli.batch.results.line_index import LineIndex
from llmcli.batch.task import Task
from llmcli.system.dataclass import dataclass, field

# A number of a record beyond this was not written by a run that came to its end.
_LARGEST = 1 << 28


@dataclass
class Counts:
    """What earlier runs did with the records of this run, as far as this run has come.

    `done` were answered, `failed` failed and are asked again, `given_up` failed by a fault of their
    own and are not. In the place of a record that is `changed`, an earlier run saw another one.
    `new` were seen by no earlier run.
    """

    done: int = 0
    failed: int = 0
    given_up: int = 0
    changed: int = 0
    new: int = 0

    def __str__(self) -> str:
        words = [f"{self.done} done before"]
        words += [f"{self.failed} failed before and asked again"] if self.failed else []
        if self.given_up:
            left = f"{self.given_up} failed before and left so"
            words.append(f"{left} (--retry-failed asks them again)")
        words += [f"{self.changed} changed"] if self.changed else []
        return f"resumed: {', '.join([*words, f'{self.new} new'])}"


@dataclass
class EarlierLines:
    """The lines of earlier runs in one file, by what became of their record.

    `given_up` are failures that the record itself caused. With `retry_failed` it stays empty, as
    all that failed is asked again.
    """

    retry_failed: bool = False
    answered: LineIndex = field(default_factory=LineIndex)
    given_up: LineIndex = field(default_factory=LineIndex)
    failed: LineIndex = field(default_factory=LineIndex)
    count: int = 0
    is_of_0_1: bool = False  # the last line that was taken has the key of 0.1
    # One byte for each number of a record that a line has.
    _numbers: bytearray = field(default_factory=bytearray)

    def add(self, entry: Entry) -> None:
        """Add a line."""
        self.count += 1
        if entry.ok:
            self.answered.add(entry.key, entry.offset)
        elif entry.its_own and not self.retry_failed:
            self.given_up.add(entry.key, entry.offset)
        else:
            self.failed.add(entry.key, entry.offset)
        if 0 <= entry.number < _LARGEST:
            missing = entry.number + 1 - len(self._numbers)
            if missing > 0:
                self._numbers.extend(bytes(max(missing, len(self._numbers) // 8)))
            self._numbers[entry.number] = 1

    def has_number(self, index: int) -> bool:
        """Return True if a line is about a record with this number."""
        return index < len(self._numbers) and bool(self._numbers[index])

    def claim(self, task: Task, counts: Counts) -> int | None:
        """Take a line for the record of `task`, count it, and return its offset; None if none is.

        It is an answer, or a failure that the record itself caused. Each line is taken once, so
        that records that are the same get one each. Answers of 0.1 are known without the endpoint;
        its failures are asked again, whatever their fault was, as it promised.
        """
        if len(self.answered) and (found := self.answered.claim(task.key, task.former_key)):
            counts.done += 1
            self.is_of_0_1 = found[1] == task.former_key
            return found[0]
        if len(self.given_up) and (found := self.given_up.claim(task.key)):
            counts.given_up += 1
            return found[0]
        return None

    def has_failed(self, task: Task) -> bool:
        """Return True if the record failed and is asked again, and let its failures go."""
        if self.count == len(self.answered):
            return False
        found = False
        for index, key in (
            (self.failed, task.key), (self.failed, task.former_key),
            (self.given_up, task.former_key),
        ):  # fmt: skip
            if len(index) and key in index:
                found = True
                while index.claim(key) is not None:
                    pass
        return found

    def left_over(self) -> "array[int]":
        """Return the offsets of the lines whose record is not in this run, in their order."""
        offsets = array("q", self.answered.unclaimed())
        offsets.extend(self.given_up.unclaimed())
        offsets.extend(self.failed.unclaimed())
        return array("q", sorted(offsets))

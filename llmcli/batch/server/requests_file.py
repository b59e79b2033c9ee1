"""The files of requests: in OpenAI's batch format, each within the limits of a batch."""

import json
import pickle
import tempfile
from array import array
from collections.abc import Iterator
from typing import BinaryIO, cast

from llmcli.batch.plan import TRANSPORT
from llmcli.batch.server.parts import Part
from llmcli.batch.task import Task
from llmcli.chat.response_format import Shape, instructed
from llmcli.errors import TooLong
from llmcli.system.dataclass import dataclass

# The limits of OpenAI; those of Azure and Groq are the same or higher.
MOST_LINES, MOST_BYTES = 50_000, 200_000_000
# The place of a record that is in no batch.
NOWHERE = -1
# A place is the number of the part in this run, times this, and the line in its file.
_LINES = 1 << 20


@dataclass(frozen=True)
class FileLimits:
    """The most lines and bytes that a file of requests may have."""

    lines: int = MOST_LINES
    bytes: int = MOST_BYTES


def place(part: int, line: int) -> int:
    """Return the place of a line: one number, as a run may have millions of them."""
    return part * _LINES + line


def part_and_line(place: int) -> tuple[int, int]:
    """Return the number of the part and the line of a place."""
    return divmod(place, _LINES)


def encoded(task: Task, custom_id: str, path: str, shape: Shape) -> bytes:
    """Return the line of a request: the body of a live run, without what is about its sending."""
    assert task.request is not None
    whole = instructed(task.request, shape)
    body = {name: value for name, value in whole.items() if name not in TRANSPORT}
    request = {"custom_id": custom_id, "method": "POST", "url": path, "body": body}
    return json.dumps(request, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class RequestsFile:
    """The requests of one part that is to be, on disk, and the most that each may cost.

    `bounds` is in USD, None where that is not known.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        # Closed with the object, as is that of Tasks.
        self.file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        self.bounds: list[float | None] = []
        self._keys: list[str] = []

    def add(self, task: Task, path: str, shape: Shape, limits: FileLimits) -> int | None:
        """Add a request and return its line; None if the file is full.

        Raises TooLong for a request that no file has room for.
        """
        line = len(self._keys)
        text = encoded(task, f"{task.key}-{line}", path, shape)
        if len(text) > limits.bytes:
            problem = f"the request has {len(text)} bytes, and a batch takes {limits.bytes}"
            raise TooLong(problem, hint="ask it without --batch")
        if line >= limits.lines or self.part.size + len(text) > limits.bytes:
            return None
        self.file.write(text)
        self.part.size += len(text)
        self._keys.append(task.key)
        return line

    def close(self) -> None:
        """Give the part the keys of its records, as nothing is added any more."""
        self.file.flush()
        self.part.records = "".join(self._keys)
        self._keys = []


class Tasks:
    """The tasks of a run on disk, each with its place, as the input can be read only once."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._places = array("q")
        self.count = 0

    def add(self, task: Task, place: int) -> None:
        """Keep a task."""
        pickle.dump(task, self._file, pickle.HIGHEST_PROTOCOL)
        self._places.extend([NOWHERE] * (task.index + 1 - len(self._places)))
        self._places[task.index] = place
        self.count += 1

    def place_of(self, task: Task) -> int:
        """Return the place of a task."""
        return self._places[task.index]

    def __iter__(self) -> Iterator[Task]:
        self._file.seek(0)
        for _ in range(self.count):
            task: Task = pickle.load(self._file)
            yield task

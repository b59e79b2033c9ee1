"""The state of the server's batches, in lines of FILE.progress beside the results.

A part is one file of requests and the batch that is made of it. Each step of its life is a line,
written before the next step begins, so that a run that was killed finds again what it has begun:
the file by its name, the batch by its metadata. The requests themselves are not kept: the record
of each is known by its key.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from llmcli.batch.results.entry import NOTE
from llmcli.system.dataclass import dataclass
from llmcli.system.files import records

# The steps of a part. PLANNED: its file has a name. UPLOADED: the file is at the server. MADE: so
# is the batch. BILLING and BILLED: its cost is being written to the ledger, and stands there.
# ENDED: its answers are among the results, or there will be none.
PLANNED, UPLOADED, MADE, BILLING, BILLED, ENDED = (
    *("planned", "uploaded", "made"), *("billing", "billed", "ended"),
)  # fmt: skip
_KEY = 32
_ABOUT = ("endpoint", "model", "time", "size", "records")
# The names of the metadata by which a batch is found again.
RUN, PART = "llmcli_run", "llmcli_part"


@dataclass
class Part:
    """A file of requests, and what has become of it.

    `run` is a random name of 16 hexadecimal digits, `number` counts the parts of a run from 1.
    `endpoint` is the `url.identity` of the server, `model` that of all requests. `time` is when it
    was planned, as the ledger writes it. `size` is that of the file in bytes, `records` the keys of
    the records in the order of its lines, without anything between them. `cancelled` says that the
    user has ended it.
    """

    run: str
    number: int
    endpoint: str
    model: str
    time: str
    size: int
    records: str
    state: str = PLANNED
    file_id: str | None = None
    batch_id: str | None = None
    cancelled: bool = False

    @property
    def filename(self) -> str:
        """Return the name of the file at the server, which no other file has."""
        return f"llmcli-{self.run}-{self.number}.jsonl"

    @property
    def metadata(self) -> dict[str, str]:
        """Return what the batch carries at the server, and no other batch does."""
        return {RUN: self.run, PART: str(self.number)}

    @property
    def count(self) -> int:
        """Return the number of requests."""
        return len(self.records) // _KEY

    def key(self, line: int) -> str:
        """Return the key of the record of `line`, counted from 0."""
        return self.records[line * _KEY : (line + 1) * _KEY]

    def custom_id(self, line: int) -> str:
        """Return the name of the request in `line`, by which its answer is known."""
        return f"{self.key(line)}-{line}"

    def line_of(self, custom_id: Any) -> int | None:
        """Return the line of the request with this name; None if it is none of this part."""
        key, _, number = str(custom_id).partition("-")
        if not number.isdecimal() or len(number) > len(str(self.count)):
            return None
        line = int(number)
        return line if line < self.count and self.key(line) == key else None

    def ledger_id(self, line: int) -> str:
        """Return the id of the request in the ledger, the same whenever it is asked for."""
        return hashlib.sha256(f"{self.run}-{self.number}-{line}".encode()).hexdigest()[:16]

    def named(self) -> str:
        """Return words for the batch, such as `batch batch_abc123`."""
        return f"batch {self.batch_id}" if self.batch_id else f"the batch of {self.filename}"

    def planned(self) -> bytes:
        """Return the line by which the part begins."""
        told = {"file": self.filename, "endpoint": self.endpoint, "model": self.model}
        more = {"time": self.time, "size": self.size, "records": self.records}
        return self._line(PLANNED, {**told, **more})

    def step(self, state: str) -> bytes:
        """Enter `state`, and return the line that says so."""
        self.state = state
        ids = {"file_id": self.file_id, "batch_id": self.batch_id, "cancelled": self.cancelled}
        return self._line(state, {name: value for name, value in ids.items() if value})

    def _line(self, state: str, more: dict[str, Any]) -> bytes:
        # Flat, so that a line whose end is torn off never looks like a whole one.
        about = {"run": self.run, "part": self.number, "state": state, **more}
        return NOTE + b", " + json.dumps(about)[1:].encode() + b"\n"


def open_parts(path: str) -> list[Part]:
    """Return the parts in the file of progress at `path` that have not ended."""
    parts: dict[tuple[str, int], Part] = {}
    for note in _notes(path):
        name = (str(note.get("run")), note.get("part", 0))
        if note.get("state") == PLANNED:
            about: list[Any] = [note.get(key) for key in _ABOUT]
            parts[name] = Part(*name, *about)
        elif part := parts.get(name):
            part.state = str(note.get("state"))
            part.file_id = note.get("file_id", part.file_id)
            part.batch_id = note.get("batch_id", part.batch_id)
            part.cancelled = bool(note.get("cancelled", part.cancelled))
    return [part for part in parts.values() if part.state != ENDED]


def _notes(path: str) -> Iterator[dict[str, Any]]:
    with suppress(OSError), open(path, "rb") as file:
        for line in file:
            if line.startswith(NOTE) and (note := records.parse_record(line)):
                yield note

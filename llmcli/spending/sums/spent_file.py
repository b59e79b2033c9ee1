"""What one file of the ledger says that was spent, by day and tag: read once, then as it grows."""

import os
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from llmcli.api.reply.cost import amount
from llmcli.spending.calendar import Zone
from llmcli.spending.sums import checkpoint, summary
from llmcli.spending.sums.summary import EVENT, ID, INTENT_EVENT, START
from llmcli.system.files.regular import open_regular

_KIND = checkpoint.CheckpointKind(".spent.json", 1)
# Bytes that are read at once of what is new.
_BLOCK = 1 << 16
# A request counts for a day and a tag, with so many USD.
Part = tuple[str, str | None, Decimal]
_NOTHING = Decimal(0)
# USD: no sum of a ledger is larger.
_MOST = Decimal(10) ** 12


class OwnRequests:
    """The requests of this process, known before they are read in the ledger.

    Both are by the id of the request: its estimate, and its cost once it has ended.
    """

    def __init__(self) -> None:
        self.estimates: dict[bytes, Part] = {}
        self.costs: dict[bytes, Part] = {}


class SpentFile:
    """The sums of the ledger file at `path`, by the days of `zone`.

    `sums` has what settled requests have cost, and the others may cost.
    """

    def __init__(self, path: Path, zone: Zone, own: OwnRequests) -> None:
        self.sums: dict[tuple[str, str | None], Decimal] = {}
        self._path = path
        self._zone = zone
        self._own = own
        # The file as it is open, and its status then.
        self._file: BinaryIO | None = None
        self._status: os.stat_result | None = None
        self._offset = 0
        # The estimates of the requests that have not ended, by the id of the request.
        self._open: dict[bytes, Part] = {}
        # The requests of this process whose cost is counted, although it was not read yet.
        self._counted: set[bytes] = set()

    def new_parts(self) -> list[Part] | None:
        """Return the parts that have come since the last call; None if `sums` were made anew.

        A request that has ended takes back its estimate, as a negative part. Raise OSError.
        """
        data = self._new_bytes()
        if not data and self._is_another():
            return None
        parts: list[Part] = []
        for line in data.splitlines(keepends=True):
            # A last line without its end is still being written, and belongs to the next time.
            if line.endswith(b"\n"):
                self._offset += len(line)
                self._add(line, parts)
        self._settle_own(parts)
        self._count(parts)
        return parts

    def _new_bytes(self) -> bytes:
        blocks: list[bytes] = []
        if self._file:
            descriptor, at = self._file.fileno(), self._offset
            while block := os.pread(descriptor, _BLOCK, at):
                blocks.append(block)
                at += len(block)
                if len(block) < _BLOCK:
                    break
        return b"".join(blocks)

    def _is_another(self) -> bool:
        """Return whether the file was created, replaced, cut or removed; read it anew if so."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            was_read, self._status = self._status is not None, None
            self._close()
            return was_read
        before = self._status
        if before and os.path.samestat(status, before) and status.st_size >= self._offset:
            return False
        self._read_all()
        return True

    def _close(self) -> None:
        self.sums.clear()
        self._open.clear()
        self._counted.clear()
        if self._file:
            self._file.close()
            self._file = None

    def _read_all(self) -> None:
        self._close()
        self._file = open_regular(self._path)
        self._status = os.fstat(self._file.fileno())
        self._offset = begun_at = self._load()
        self._file.seek(begun_at)
        # Intents are kept as they are, and parsed only if no settlement follows.
        intents: dict[bytes, bytes] = {}
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._offset += len(line)
            if line[EVENT] == INTENT_EVENT and line.startswith(START):
                intents[line[ID]] = line
            elif record := summary.parse(line.decode(errors="replace")):
                identity = str(record.get("id")).encode()
                if not intents.pop(identity, None):
                    self._open.pop(identity, None)
                self._count([self._part(record, "cost_usd")])
        for identity, line in intents.items():
            if record := summary.parse(line.decode(errors="replace")):
                self._open[identity] = self._part(record, "estimate_usd")
        self._save(begun_at)
        parts = [*self._open.values()]
        self._settle_own(parts)
        self._count(parts)

    def _load(self) -> int:
        """Take the sums and the open requests of the checkpoint; return how far that has read."""
        assert self._file
        try:
            saved = checkpoint.load(self._path, self._file, self._zone.name, _KIND)
            if saved is None:
                return 0
            sums = {(_day(day), tag): _known(usd) for day, tag, usd in saved["sums"]}
            opened = {i.encode(): (_day(d), tag, _known(usd)) for i, d, tag, usd in saved["open"]}
        except checkpoint.MISFITS:
            return 0
        self.sums.update(sums)
        self._open.update(opened)
        return int(saved["offset"])

    def _save(self, begun_at: int) -> None:
        assert self._file
        content = {
            "offset": self._offset,
            "sums": [[*key, usd] for key, usd in self.sums.items()],
            "open": [[identity.decode(), *part] for identity, part in self._open.items()],
        }
        checkpoint.save(self._path, self._file, self._zone.name, _KIND, content, begun_at)

    def _add(self, line: bytes, parts: list[Part]) -> None:
        identity = line[ID]
        is_intent = line[EVENT] == INTENT_EVENT
        part = self._own.estimates.pop(identity, None) if is_intent else None
        if part is None and identity in self._counted and not is_intent:
            self._counted.discard(identity)
            self._own.costs.pop(identity, None)
            return
        if part is None:
            record = summary.parse(line.decode(errors="replace"))
            if record is None:
                return
            identity = str(record.get("id")).encode()
            is_intent = record.get("event") == "intent"
            part = self._part(record, "estimate_usd" if is_intent else "cost_usd")
        if is_intent:
            self._open[identity] = part
        elif estimate := self._open.pop(identity, None):
            parts.append(_taken_back(estimate))
        parts.append(part)

    def _settle_own(self, parts: list[Part]) -> None:
        """Count the costs of this process that wait to be written."""
        for identity, part in list(self._own.costs.items()):
            if estimate := self._open.pop(identity, None):
                self._counted.add(identity)
                parts += [_taken_back(estimate), part]

    def _count(self, parts: Iterable[Part]) -> None:
        for day, tag, usd in parts:
            self.sums[day, tag] = self.sums.get((day, tag), _NOTHING) + usd

    def _part(self, record: dict[str, Any], name: str) -> Part:
        usd = amount(record.get(name))
        return self._zone.day_of(record["time"]), record.get("tag"), usd or _NOTHING


def _taken_back(part: Part) -> Part:
    return part[0], part[1], -part[2]


def _day(day: str) -> str:
    """Return the day of a checkpoint. Raise ValueError if it is not one, TypeError for no text."""
    return date.fromisoformat(day).isoformat()


def _known(usd: str) -> Decimal:
    """Return the amount of a checkpoint. Raise ValueError if it cannot be one."""
    value = Decimal(usd)
    if not value.is_finite() or not 0 <= value <= _MOST:
        raise ValueError(usd)
    return value

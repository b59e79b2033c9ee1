"""The ledger summed by day and account, with a checkpoint, so that each line is read only once.

A checkpoint is derived: whenever it does not fit its ledger it is made anew.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from .ledger import INTENT

_VERSION = 1
# So much must be new before the checkpoint is written again, in bytes.
_WORTH = 65536
_PROOF = 48
_ID = slice(8, 24)
_EVENT = slice(37, 37 + len(INTENT))
KEYS = ("day", "model", "tag", "session", "profile", "command")
Key = tuple[str | None, ...]
DayOf = Callable[[str], str]


@dataclass
class Sum:
    """Of requests: how many, how many of them failed, cost an unknown amount, were never settled;
    tokens; USD, and how much of it is estimated."""

    requests: int = 0
    failed: int = 0
    unknown: int = 0
    unsettled: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    usd: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)

    def add(self, other: "Sum") -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Rollup:
    """Of one month's file up to `offset`, with the intents that are `open` there, as text."""

    sums: dict[Key, Sum] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    offset: int = 0

    def feed(self, line: str, day_of: DayOf) -> None:
        if line[_EVENT] == INTENT and line.startswith('{"id": "'):
            self.open[line[_ID]] = line
            return
        record = _parse(line)
        if record is None or not isinstance(record.get("time"), str):
            return
        self.open.pop(str(record.get("id")), None)
        self.sums.setdefault(_key(record, day_of), Sum()).add(_settled(record))

    def all_sums(self, day_of: DayOf) -> Iterator[tuple[Key, Sum]]:
        """With what was never settled, at its estimate."""
        yield from self.sums.items()
        for line in self.open.values():
            if record := _parse(line):
                yield _key(record, day_of), _unsettled(record)


def _parse(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line, parse_float=Decimal)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _key(record: dict[str, Any], day_of: DayOf) -> Key:
    return (day_of(record["time"]), *(record.get(name) for name in KEYS[1:]))


def _settled(record: dict[str, Any]) -> Sum:
    usd = record.get("cost_usd")
    known = isinstance(usd, (int, Decimal))
    amount = Decimal(usd) if isinstance(usd, (int, Decimal)) else Decimal(0)
    return Sum(
        requests=1,
        failed=int(record.get("exit") != "ok"),
        unknown=int(not known),
        prompt=record.get("prompt_tokens") or 0,
        completion=record.get("completion_tokens") or 0,
        cached=record.get("cached_tokens") or 0,
        usd=amount,
        estimated=amount if record.get("cost_source") == "estimated" else Decimal(0),
    )


def _unsettled(record: dict[str, Any]) -> Sum:
    usd = record.get("estimate_usd")
    amount = Decimal(usd) if isinstance(usd, (int, Decimal)) else Decimal(0)
    unknown = int(usd is None)
    return Sum(requests=1, unsettled=1, unknown=unknown, usd=amount, estimated=amount)


def of_file(path: Path, day_of: DayOf, zone: str) -> Rollup:
    """The sums of the ledger at `path`; empty where there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            rollup = _checkpoint(path, file, zone)
            start = rollup.offset
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):
                    rollup.feed(line.decode(errors="replace"), day_of)
                    rollup.offset += len(line)
            if rollup.offset - start > _WORTH:
                with suppress(OSError):
                    _save(path, file, rollup, zone)
    except FileNotFoundError:
        return Rollup()
    return rollup


def _place(path: Path) -> Path:
    return path.with_suffix(".sums.json")


def _proof(file: Any, offset: int) -> str:
    """The bytes before `offset`: a ledger that was changed there is another one."""
    start = max(0, offset - _PROOF)
    return os.pread(file.fileno(), offset - start, start).decode(errors="replace")


def _checkpoint(path: Path, file: Any, zone: str) -> Rollup:
    try:
        kept = json.loads(_place(path).read_bytes())
        if (kept["version"], kept["zone"]) != (_VERSION, zone):
            return Rollup()
        offset = int(kept["offset"])
        if _proof(file, offset) != kept["proof"]:
            return Rollup()
        sums = {tuple(key): _sum(numbers) for key, numbers in kept["sums"]}
        return Rollup(sums, dict(kept["open"]), offset)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return Rollup()


def _sum(numbers: list[Any]) -> Sum:
    *counts, usd, estimated = numbers
    names = [name for name in Sum.__dataclass_fields__ if name not in ("usd", "estimated")]
    whole: dict[str, Any] = dict(zip(names, map(int, counts), strict=True))
    return Sum(**whole, usd=Decimal(usd), estimated=Decimal(estimated))


def _save(path: Path, file: Any, rollup: Rollup, zone: str) -> None:
    names = Sum.__dataclass_fields__
    sums = [[key, [getattr(s, n) for n in names]] for key, s in rollup.sums.items()]
    kept = {
        "version": _VERSION,
        "zone": zone,
        "offset": rollup.offset,
        "proof": _proof(file, rollup.offset),
        "sums": sums,
        "open": rollup.open,
    }
    descriptor, scratch = tempfile.mkstemp(prefix=".sums-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as out:
            json.dump(kept, out, default=str)
        os.replace(scratch, _place(path))
    except OSError:
        os.unlink(scratch)
        raise

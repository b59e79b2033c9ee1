"""The ledger summed by day and account, with a checkpoint, so that each line is read only once.

A checkpoint is derived: whenever it does not fit its ledger it is made anew.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from llmcli.api.usage import ESTIMATED, amount, tokens
from llmcli.spending.ledger import INTENT
from llmcli.system.atomic_file import replace_file
from llmcli.system.dataclass import dataclass, field

_VERSION = 1
# So much must be new before the checkpoint is written again, in bytes.
_WORTH = 65536
_DECODER = json.JSONDecoder(parse_float=str)
_PROOF = 48
# Whatever reading a checkpoint that is not ours, or is torn, can raise.
_MISFITS = (
    *(OSError, ValueError, LookupError, TypeError),
    *(AttributeError, ArithmeticError, RecursionError),
)
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
        """A line of the ledger. What is no record of ours is passed over."""
        if line[_EVENT] == INTENT and line.startswith('{"id": "'):
            self.open[line[_ID]] = line
            return
        record = _parse(line)
        if record is None:
            return
        self.open.pop(str(record.get("id")), None)
        key = _key(record, day_of)
        total = self.sums.get(key)
        if total is None:
            total = self.sums[key] = Sum()
        _settle(total, record)

    def all_sums(self, day_of: DayOf) -> Iterator[tuple[Key, Sum]]:
        """With what was never settled, at its estimate."""
        yield from self.sums.items()
        for line in self.open.values():
            if record := _parse(line):
                yield _key(record, day_of), _unsettled(record)


def _parse(line: str) -> dict[str, Any] | None:
    """Numbers with a point stay text, exact as they are written."""
    try:
        record = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("time"), str):
        return None
    names = [record.get(name) for name in ("id", *KEYS[1:])]
    return record if all(name is None or isinstance(name, str) for name in names) else None


def _key(record: dict[str, Any], day_of: DayOf) -> Key:
    get = record.get
    account = (get("model"), get("tag"), get("session"), get("profile"), get("command"))
    return (day_of(record["time"]), *account)


def _settle(total: Sum, record: dict[str, Any]) -> None:
    """Add what a settled request says to the sum of its account."""
    total.requests += 1
    total.failed += record.get("exit") != "ok"
    total.prompt += tokens(record.get("prompt_tokens")) or 0
    total.completion += tokens(record.get("completion_tokens")) or 0
    total.cached += tokens(record.get("cached_tokens")) or 0
    usd = amount(record.get("cost_usd"))
    if usd is None:
        total.unknown += 1
        return
    total.usd += usd
    if record.get("cost_source") == ESTIMATED:
        total.estimated += usd


def _unsettled(record: dict[str, Any]) -> Sum:
    usd = amount(record.get("estimate_usd"))
    known = Decimal(0) if usd is None else usd
    return Sum(requests=1, unsettled=1, unknown=int(usd is None), usd=known, estimated=known)


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
    """Believed only if it fits the ledger and is whole."""
    try:
        kept = json.loads(_place(path).read_bytes())
        offset, proof = kept["offset"], kept["proof"]
        fits = (kept["version"], kept["zone"]) == (_VERSION, zone) and isinstance(offset, int)
        if not fits or not proof.endswith("\n") or _proof(file, offset) != proof:
            return Rollup()
        sums = {_whole_key(key): _sum(numbers) for key, numbers in kept["sums"]}
        opened = {str(identity): str(line) for identity, line in kept["open"].items()}
        return Rollup(sums, opened, offset)
    except _MISFITS:
        return Rollup()


def _whole_key(key: list[Any]) -> Key:
    if len(key) != len(KEYS) or not all(part is None or isinstance(part, str) for part in key):
        raise ValueError(key)
    return tuple(key)


def _sum(numbers: list[Any]) -> Sum:
    *counts, usd, estimated = numbers
    names = [name for name in Sum.__dataclass_fields__ if name not in ("usd", "estimated")]
    whole: dict[str, Any] = dict(zip(names, map(int, counts), strict=True))
    amounts = Decimal(usd), Decimal(estimated)
    if not all(one.is_finite() and one >= 0 for one in amounts):
        raise ValueError(numbers)
    return Sum(**whole, usd=amounts[0], estimated=amounts[1])


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
    replace_file(_place(path), json.dumps(kept, default=str).encode())

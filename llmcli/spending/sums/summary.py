"""The sums of the ledger, by day, model, tag, session, profile and command.

Beside each ledger file a checkpoint keeps the sums of its lines so far.
"""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from llmcli.api.reply.cost import ESTIMATED, amount
from llmcli.api.reply.usage import tokens
from llmcli.spending.ledger import INTENT
from llmcli.spending.sums import checkpoint
from llmcli.system.dataclass import dataclass, field
from llmcli.system.files.regular import open_regular

_KIND = checkpoint.CheckpointKind(".sums.json", 2)
# Numbers with a point stay text until they become Decimals, so that cents are summed exactly.
_DECODER = json.JSONDecoder(parse_float=str)
# Where the id and the event stand in a line, by the HEAD of the ledger. An intent is kept as text
# and decoded only if no settlement follows, so half of the lines need no decoding.
ID = slice(8, 24)
EVENT = slice(37, 37 + len(INTENT))
# How each line begins, and what stands at EVENT in an intent, in the bytes of the file.
START, INTENT_EVENT = b'{"id": "', INTENT.encode()
# What requests are summed by, but for sessions. A Key has a value for each of them; DayOf gives the
# day of a time.
KEYS = ("day", "model", "tag", "profile", "command")
Key = tuple[str | None, ...]
# The day and the name of a session. A ledger may have more sessions than all else together, so they
# do not multiply the other sums.
SessionKey = tuple[str, str]
DayOf = Callable[[str], str]


@dataclass
class Sum:
    """The sum of some requests.

    `requests` is how many there are; `failed`, `unknown` and `unsettled` are how many of them have
    failed, have an unknown cost, or were never settled because their run was killed. `prompt`,
    `completion` and `cached` are tokens. `usd` is the known cost, and `estimated` the part of it
    that is not a figure of the server.
    """

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
        """Add every figure of `other` to that of this sum."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def subtract(self, other: "Sum") -> None:
        """Subtract every figure of `other` from that of this sum."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) - getattr(other, name))


@dataclass
class Rollup:
    """The sums of one ledger file up to the byte `offset`.

    `sums` has the requests that are settled, and `sessions` those among them that belong to a
    session. `open` maps the id of each other request to the line of its intent. `damaged` says that
    zeros follow, which a loss of power has left.
    """

    sums: dict[Key, Sum] = field(default_factory=dict)
    sessions: dict[SessionKey, Sum] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    damaged: bool = False

    def feed(self, line: str, day_of: DayOf) -> None:
        """Add a line of the ledger. One that is not a record of llmcli is left out."""
        if line[EVENT] == INTENT and line.startswith(START.decode()):
            self.open[line[ID]] = line
            return
        record = parse(line)
        if record is None:
            return
        self.open.pop(str(record.get("id")), None)
        key = _key(record, day_of)
        total = self.sums.get(key)
        if total is None:
            total = self.sums[key] = Sum()
        _settle(total, record)
        if (session := record.get("session")) is not None:
            _settle(self.sessions.setdefault((str(key[0]), session), Sum()), record)

    def all_sums(self, day_of: DayOf) -> Iterator[tuple[Key, Sum]]:
        """Yield the sums of the settled requests, then each other request at its estimate.

        A key can come several times.
        """
        yield from self.sums.items()
        for line in self.open.values():
            if record := parse(line):
                yield _key(record, day_of), _unsettled(record)

    def sums_of_sessions(self, day_of: DayOf) -> Iterator[tuple[tuple[str, str | None], Sum]]:
        """Yield the day, the session and the sum of requests; the session is None where none is.

        A day and a session can come several times.
        """
        others: dict[str, Sum] = {}
        for key, total in self.sums.items():
            others.setdefault(str(key[0]), Sum()).add(total)
        for (day, session), total in self.sessions.items():
            others.setdefault(day, Sum()).subtract(total)
            yield (day, session), total
        for day, total in others.items():
            if total.requests > 0:
                yield (day, None), total
        for line in self.open.values():
            if record := parse(line):
                yield (day_of(record["time"]), record.get("session")), _unsettled(record)


def parse(line: str) -> dict[str, Any] | None:
    """Return the record in `line`; None if it is not one of the ledger."""
    try:
        record = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("time"), str):
        return None
    names = [record.get(name) for name in ("id", "session", *KEYS[1:])]
    return record if all(name is None or isinstance(name, str) for name in names) else None


def _key(record: dict[str, Any], day_of: DayOf) -> Key:
    get = record.get
    account = (get("model"), get("tag"), get("profile"), get("command"))
    return (day_of(record["time"]), *account)


def _settle(total: Sum, record: dict[str, Any]) -> None:
    """Add the settlement `record` to `total`."""
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
    """Return the intent `record` as a sum of one request at its estimate."""
    usd = amount(record.get("estimate_usd"))
    known = Decimal(0) if usd is None else usd
    return Sum(requests=1, unsettled=1, unknown=int(usd is None), usd=known, estimated=known)


def of_file(path: Path, day_of: DayOf, zone: str) -> Rollup:
    """Return the sums of the ledger file at `path`; no sums if it does not exist.

    `day_of` returns the day of a time in the time zone named `zone`. A checkpoint is read, and
    written where that is worth it. Raises OSError if the ledger cannot be read.
    """
    try:
        with open_regular(path) as file:
            rollup = _checkpoint(path, file, zone)
            start = rollup.offset
            file.seek(start)
            for line in file:
                # A last line without its end is still being written, and belongs to the next time.
                if line.endswith(b"\n"):
                    rollup.feed(line.decode(errors="replace"), day_of)
                    rollup.offset += len(line)
                else:
                    rollup.damaged = line.endswith(b"\0")
            checkpoint.save(path, file, zone, _KIND, _content(rollup), start)
    except (FileNotFoundError, NotADirectoryError):
        return Rollup()
    return rollup


def _checkpoint(path: Path, file: BinaryIO, zone: str) -> Rollup:
    """Return what the checkpoint of the ledger says; no sums if it does not fit or is damaged."""
    try:
        saved = checkpoint.load(path, file, zone, _KIND)
        if saved is None:
            return Rollup()
        sums = {_whole_key(key): _sum(numbers) for key, numbers in saved["sums"]}
        sessions = {(str(day), str(name)): _sum(of) for (day, name), of in saved["sessions"]}
        opened = {str(identity): str(line) for identity, line in saved["open"].items()}
        return Rollup(sums, sessions, opened, saved["offset"])
    except checkpoint.MISFITS:
        return Rollup()


def _whole_key(key: list[Any]) -> Key:
    """Return the key of a checkpoint. Raises ValueError if it has not the right form."""
    if len(key) != len(KEYS) or not all(part is None or isinstance(part, str) for part in key):
        raise ValueError(key)
    return tuple(key)


def _sum(numbers: list[Any]) -> Sum:
    """Return the sum of a checkpoint, whose `numbers` are in the order of the fields of Sum.

    Raises one of checkpoint.MISFITS if they are not numbers of this form.
    """
    *counts, usd, estimated = numbers
    names = [name for name in Sum.__dataclass_fields__ if name not in ("usd", "estimated")]
    whole: dict[str, Any] = dict(zip(names, map(int, counts), strict=True))
    amounts = Decimal(usd), Decimal(estimated)
    if not all(value.is_finite() and value >= 0 for value in amounts):
        raise ValueError(numbers)
    return Sum(**whole, usd=amounts[0], estimated=amounts[1])


def _content(rollup: Rollup) -> dict[str, Any]:
    """Return what a checkpoint keeps of the sums."""
    names = Sum.__dataclass_fields__
    sums, sessions = (
        [[key, [getattr(s, n) for n in names]] for key, s in table.items()]
        for table in (rollup.sums, rollup.sessions)
    )
    return {"offset": rollup.offset, "sums": sums, "sessions": sessions, "open": rollup.open}

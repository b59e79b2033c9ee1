"""What counts against the budgets now: sums in memory, to which only new lines are added."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from llmcli.api.reply.cost import amount
from llmcli.errors import LockHeld, WriteError
from llmcli.spending import budget, calendar, ledger, summary
from llmcli.spending.budget import Budget, Limit
from llmcli.spending.calendar import Zone
from llmcli.system.environment import Environment

# Seconds to wait for a run that holds the lock, which takes milliseconds unless it was stopped.
_PATIENCE = 10.0
# A request counts for a day and a tag, with so many USD.
_Part = tuple[str, str | None, Decimal]


class _LedgerFile:
    """The parts of one ledger file, read once and then as far as it has grown."""

    def __init__(self, path: Path, zone: Zone) -> None:
        self._path = path
        self._zone = zone
        # The file as it is open, and its status then.
        self._file: BinaryIO | None = None
        self._status: os.stat_result | None = None
        self._offset = 0
        # The parts of the requests that have not ended, by the id of the request.
        self._open: dict[str, _Part] = {}
        self.sums: dict[tuple[str, str | None], Decimal] = {}

    def new_parts(self) -> list[_Part] | None:
        """Return the parts that have come since the last call; None if `sums` were made anew.

        A request that has ended takes back its estimate, as a negative part. Raises OSError.
        """
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            was_read, self._status = self._status is not None, None
            self.sums.clear()
            return None if was_read else []
        before = self._status
        if before is None or not os.path.samestat(status, before) or status.st_size < self._offset:
            self._read_all()
            return None
        parts: list[_Part] = []
        if status.st_size > self._offset:
            self._read_on(parts)
        self._count(parts)
        return parts

    def _count(self, parts: Iterable[_Part]) -> None:
        for day, tag, usd in parts:
            self.sums[day, tag] = self.sums.get((day, tag), Decimal(0)) + usd

    def _read_all(self) -> None:
        self.sums.clear()
        if self._file:
            self._file.close()
        self._file = self._path.open("rb")
        rollup = summary.of_file(self._path, self._zone.day_of, self._zone.name)
        self._count((*key, usd) for key, usd in rollup.usd_by_day_and_tag())
        self._open = {
            identity: part
            for identity, line in rollup.open.items()
            if (record := summary.parse(line)) and (part := self._part(record, "estimate_usd"))
        }
        self._count(self._open.values())
        self._status, self._offset = os.fstat(self._file.fileno()), rollup.offset

    def _read_on(self, parts: list[_Part]) -> None:
        assert self._file
        self._file.seek(self._offset)
        for line in self._file:
            # A last line without its end is still being written, and belongs to the next time.
            if line.endswith(b"\n"):
                self._offset += len(line)
                if record := summary.parse(line.decode(errors="replace")):
                    self._add(record, parts)

    def _add(self, record: dict[str, Any], parts: list[_Part]) -> None:
        identity = str(record.get("id"))
        if record.get("event") == ledger.INTENT:
            part = self._part(record, "estimate_usd")
            self._open[identity] = part
        else:
            part = self._part(record, "cost_usd")
            if estimate := self._open.pop(identity, None):
                parts.append((estimate[0], estimate[1], -estimate[2]))
        parts.append(part)

    def _part(self, record: dict[str, Any], name: str) -> _Part:
        usd = amount(record.get(name))
        return self._zone.day_of(record["time"]), record.get("tag"), usd or Decimal(0)


class Spent:
    """What counts against each limit of `limits` in the current day or month, for all threads."""

    def __init__(self, environment: Environment, limits: Budget) -> None:
        self._environment = environment
        self._budget = limits
        # Held while a request is checked and recorded, so that threads do not wait for each other
        # at the lock of the file, which gives up after a time.
        self._lock = threading.Lock()
        self._exclusive = budget.Exclusive(environment)
        self._patience = _PATIENCE
        self._today: date | None = None
        self._files: list[_LedgerFile] = []
        self._sums: dict[Limit, Decimal] = {}

    def prepare(self) -> None:
        """Read what the ledger has so far. Raises WriteError if it cannot be read."""
        with self._lock:
            self._update()

    def sums(self) -> dict[Limit, Decimal]:
        """Return the USD that count against each limit now. Raises WriteError as `prepare` does."""
        self.prepare()
        return dict(self._sums)

    @contextmanager
    def reserved(self, tag: str | None, usd: Decimal) -> Iterator[None]:
        """Keep all other requests out, while the block records one with `tag` that may cost `usd`.

        Raises BudgetExceeded if the request would exceed a limit, LockHeld if another run has held
        the lock for long, WriteError if the ledger cannot be read or locked, ConfigError if its
        directory is open to other users.
        """
        with self._lock:
            # Before the lock, as the first time takes long where the ledger is long.
            if self._today is None:
                self._update()
            try:
                with self._exclusive.held(self._patience):
                    self._patience = _PATIENCE
                    self._update()
                    budget.check(self._budget, self._sums, tag, usd)
                    yield
            except LockHeld:
                # The other run is probably stopped: do not wait again for each request.
                self._patience = 0.0
                raise

    def _update(self) -> None:
        today = self._budget.zone.today()
        is_new = today != self._today
        if is_new:
            months = calendar.months(today.replace(day=1), today)
            paths = [ledger.file(self._environment, month) for month in months]
            self._files = [_LedgerFile(path, self._budget.zone) for path in paths]
            self._today = today
        new: list[_Part] = []
        for file in self._files:
            try:
                parts = file.new_parts()
            except OSError as error:
                self._today = None
                raise WriteError(f"cannot read the ledger: {error.strerror}") from None
            is_new = is_new or parts is None
            new += parts or []
        if is_new:
            self._sums = dict.fromkeys(self._budget.limits, Decimal(0))
            new = [(*key, usd) for file in self._files for key, usd in file.sums.items()]
        for day, tag, usd in new:
            for limit in self._budget.limits:
                if limit.counts(day, tag, today):
                    self._sums[limit] += usd

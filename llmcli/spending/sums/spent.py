"""What counts against the budgets now: sums in memory, to which only new lines are added."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

from llmcli.api.reply.cost import Cost
from llmcli.errors import BudgetExceeded, LlmcliError, LockHeld, WriteError
from llmcli.spending import budget, calendar, ledger
from llmcli.spending.budget import Budget, Limit
from llmcli.spending.ledger import Intent, Labels, Ledger
from llmcli.spending.sums.spent_file import OwnRequests, Part, SpentFile
from llmcli.system.environment import Environment

# Seconds to wait for a run that holds the lock, which takes milliseconds unless it was stopped.
_PATIENCE = 10.0


class _Request:
    """A request that waits to be recorded, and what came of that: its intent, or an error."""

    def __init__(self, labels: Labels, most: Cost) -> None:
        self.labels = labels
        self.most = most
        self._outcome: Intent | BaseException | None = None
        # A lock is the cheapest way to wait for one event: it is released when that has come.
        self._pending = threading.Lock()
        self._pending.acquire()

    def end(self, outcome: Intent | BaseException) -> None:
        """Note what came of the request, unless that is known, and wake up `result`."""
        if self._outcome is None:
            self._outcome = outcome
            self._pending.release()

    def result(self) -> Intent:
        """Wait until the request is recorded, and return its intent. Raise what prevented it."""
        self._pending.acquire()
        if isinstance(self._outcome, Intent):
            return self._outcome
        assert self._outcome is not None
        raise self._outcome


class Spent:
    """What counts against each limit of `limits` in the current day or month, for all threads."""

    def __init__(self, environment: Environment, limits: Budget) -> None:
        self._environment = environment
        self._budget = limits
        # Held by the one thread that checks and records requests, for itself and for all others.
        self._lock = threading.Lock()
        self._waiting: deque[_Request] = deque()
        self._exclusive = budget.Exclusive(environment)
        self._patience = _PATIENCE
        self._today: date | None = None
        self._own = OwnRequests()
        # By their paths, and kept when a day ends: what was read is not read again.
        self._files: dict[Path, SpentFile] = {}
        self._sums: dict[Limit, Decimal] = {}

    def prepare(self) -> None:
        """Read what the ledger has so far. Raises WriteError if it cannot be read."""
        with self._lock:
            self._update()

    def sums(self) -> dict[Limit, Decimal]:
        """Return the USD that count against each limit now. Raises WriteError as `prepare` does."""
        self.prepare()
        return dict(self._sums)

    def begin(self, writer: Ledger, labels: Labels, most: Cost) -> Intent:
        """Record a request that may cost `most`, which must be known, while all others wait.

        Raises BudgetExceeded if the request would exceed a limit, LockHeld if another run has held
        the lock for long, WriteError if the ledger cannot be read, locked or written, ConfigError
        if its directory is open to other users.
        """
        request = _Request(labels, most)
        self._waiting.append(request)
        # One thread records the requests of all, so that they do not each wait for the locks.
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                self._begin_waiting(writer)
            finally:
                self._lock.release()
        return request.result()

    def _begin_waiting(self, writer: Ledger) -> None:
        requests: list[_Request] = []
        while self._waiting:
            requests.append(self._waiting.popleft())
        try:
            # Before the lock of the file, as the first time takes long where the ledger is long.
            if self._today is None:
                self._update()
            with self._exclusive.held(self._patience):
                self._patience = _PATIENCE
                self._update()
                self._begin_all(writer, requests)
        except LlmcliError as error:
            if isinstance(error, LockHeld):
                # The other run is probably stopped: do not wait again for each request.
                self._patience = 0.0
            for request in requests:
                request.end(error)
        except BaseException as error:
            for request in requests:
                request.end(error)
            raise

    def _begin_all(self, writer: Ledger, requests: "list[_Request]") -> None:
        """Record those of the requests that the budget allows, and end them all."""
        allowed: list[_Request] = []
        sums = dict(self._sums)
        for request in requests:
            usd, tag = request.most.usd or Decimal(0), request.labels.tag
            try:
                budget.check(self._budget, sums, tag, usd)
            except BudgetExceeded as error:
                request.end(error)
                continue
            allowed.append(request)
            for limit in self._budget.limits_for(tag):
                sums[limit] += usd
        if allowed:
            intents = writer.begin_all([(request.labels, request.most) for request in allowed])
            for request, intent in zip(allowed, intents, strict=True):
                part = self._part(intent, request.most.usd or Decimal(0))
                self._own.estimates[intent.id.encode()] = part
                request.end(intent)

    @contextmanager
    def reserved(self, tag: str | None, usd: Decimal) -> Iterator[None]:
        """Keep all other requests out, while the block records some that may cost `usd` in all.

        Raises what `begin` raises.
        """
        with self._lock, self._exclusive.held(self._patience):
            self._update()
            budget.check(self._budget, self._sums, tag, usd)
            yield

    def settle(self, intent: Intent, cost: Cost) -> None:
        """Note what the request of `intent` has cost, which may be written to the ledger later."""
        self._own.costs[intent.id.encode()] = self._part(intent, cost.usd or Decimal(0))

    def _part(self, intent: Intent, usd: Decimal) -> Part:
        return self._budget.zone.day_of(intent.time), intent.labels.tag, usd

    def _update(self) -> None:
        today = self._budget.zone.today()
        is_new = today != self._today
        if is_new:
            months = calendar.months(today.replace(day=1), today)
            for path in (ledger.file(self._environment, month) for month in months):
                if path not in self._files:
                    self._files[path] = SpentFile(path, self._budget.zone, self._own)
            self._today = today
        new: list[Part] = []
        for one in self._files.values():
            try:
                parts = one.new_parts()
            except OSError as error:
                self._today = None
                raise WriteError(f"cannot read the ledger: {error.strerror}") from None
            is_new = is_new or parts is None
            new += parts or []
        if is_new:
            self._sums = dict.fromkeys(self._budget.limits, Decimal(0))
            new = [(*key, usd) for one in self._files.values() for key, usd in one.sums.items()]
        for day, tag, usd in new:
            for limit in self._budget.limits:
                if limit.counts(day, tag, today):
                    self._sums[limit] += usd

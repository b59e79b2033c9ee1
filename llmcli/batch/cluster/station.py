"""In a worker process: the threads that answer the batches of a run side by side.

A worker uses the key of its own environment. It writes no ledger and knows no budget: both belong
to the machine that the run was begun on, which gives each record the most that it may cost.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

from llmcli.api.reply.cost import Cost
from llmcli.batch.cluster.parcels import Answered, Charge, Order, Parcel, Payer
from llmcli.batch.spec import Work, answerer_for
from llmcli.batch.task import Task, lost_outcome
from llmcli.errors import BudgetExceeded
from llmcli.spending.account import Account
from llmcli.spending.ledger import Intent, Labels, Ledger, Settlement, now
from llmcli.spending.max_cost import Allowance
from llmcli.system.environment import Environment

# Seconds after which a batch gives back what it has not begun: its size was a guess, and the
# answers that are there should not wait for the rest.
_LONGEST = 2.0
# Stands for the task of an outcome, which the other side has already.
_NO_TASK = Task(0, "", None)


class Slips(Ledger):
    """A ledger that keeps the requests of one record in `charges`, to be written elsewhere."""

    def __init__(self) -> None:
        self.charges: list[Charge] = []
        self._estimates: dict[str, Cost] = {}

    def begin(self, labels: Labels, estimate: Cost) -> Intent:
        """Return the intent of a request. Nothing is written."""
        identity = str(len(self._estimates))
        self._estimates[identity] = estimate
        return Intent(identity, now(), labels)

    def settle(self, intent: Intent, settlement: Settlement) -> None:
        """Keep how the request of `intent` has ended."""
        self.charges.append(Charge(intent.labels, self._estimates[intent.id], settlement))

    def finish(self) -> None:
        """Do nothing: there is nothing to write."""


class _Progress:
    """The orders of one batch that no thread has begun, and the threads that are at work on it."""

    def __init__(self, batch: Parcel, threads: int) -> None:
        self.batch = batch
        self._next = 0
        self._until: float | None = None
        self._running = threads
        self._lock = threading.Lock()
        self.all_begun = threading.Event()
        self.all_ended = threading.Event()

    def take(self) -> int | None:
        """Return the position of an order to begin; None if there is none, or no time for it."""
        with self._lock:
            time_now = time.monotonic()
            self._until = self._until or time_now + _LONGEST
            position, orders = self._next, len(self.batch.orders)
            if position < orders and time_now < self._until:
                self._next += 1
                if self._next == orders:
                    self.all_begun.set()
                return position
            self.all_begun.set()
            self._running -= 1
            if not self._running:
                self.all_ended.set()
            return None

    def end(self) -> None:
        """Let no more orders begin."""
        with self._lock:
            self._until = float("-inf")


class Station:
    """The threads and connections of one worker for one run. `used` is when it last had work."""

    def __init__(self, work: Work) -> None:
        self._environment = Environment(os.environ)
        self._payers: dict[str, Payer] = {}
        self._answer = answerer_for(self._environment, work, self._account(work.rules.model))
        self._width = work.caps.workers
        self._threads = ThreadPoolExecutor(self._width)
        self._open: set[_Progress] = set()
        self._stopped = False
        self.used = time.monotonic()

    @property
    def idle(self) -> bool:
        """Return whether no batch is under way."""
        return not self._open

    def answer(
        self,
        batch: Parcel,
        report: Callable[[Answered], None],
        when_all_begun: Callable[[], None],
    ) -> None:
        """Ask the records of the batch; call `report` with each answer, from several threads.

        Orders of which nothing is reported were not begun: the run is ending, or the batch took
        long. `when_all_begun` is called in this thread when some threads have no more to do.
        """
        self._payers.update(batch.payers)
        self._answer.note_success(batch.succeeded)
        threads = min(self._width, len(batch.orders))
        progress = _Progress(batch, threads)
        self._open.add(progress)
        try:
            if self._stopped:
                return
            for _ in range(threads):
                self._threads.submit(self._work_on, progress, report)
            progress.all_begun.wait()
            when_all_begun()
            progress.all_ended.wait()
        finally:
            self._open.discard(progress)
            self.used = time.monotonic()

    def tell_pauses(self) -> None:
        """Tell the user of long pauses from now on."""
        self._answer.tell_pauses()

    def stop(self) -> None:
        """Send no more requests, and no retries."""
        self._stopped = True
        self._answer.stop()
        for progress in list(self._open):
            progress.end()

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

    def abandon(self) -> None:
        """End the programs of tools that still run."""
        self._answer.abandon()

    def _work_on(self, progress: _Progress, report: Callable[[Answered], None]) -> None:
        while (position := progress.take()) is not None:
            order = progress.batch.orders[position]
            try:
                report(self._one(position, order))
            except Exception as error:  # noqa: BLE001  # else the batch would never end
                lost = lost_outcome(order.task, error)
                report(Answered(position, lost, (), Decimal(0), 0.0))

    def _one(self, position: int, order: Order) -> Answered:
        slips, allowance = Slips(), Allowance(order.most)
        name = (order.task.request or {}).get("model", "")
        payer = self._account(name, slips, allowance)
        started = time.monotonic()
        outcome = self._answer(order.task, payer)
        seconds = time.monotonic() - started
        if outcome is not None:
            # At once, as the run itself hears of it at the end of the batch. That the amount of
            # one record is too little says nothing of the others.
            if outcome.fatal and not isinstance(outcome.error, BudgetExceeded):
                self.stop()
            outcome = outcome._replace(task=_NO_TASK)
        return Answered(position, outcome, slips.charges, allowance.spent, seconds)

    def _account(
        self, name: str, ledger: Ledger | None = None, allowance: Allowance | None = None
    ) -> Account:
        """Return the account for a model, as the run knows its price."""
        ledger, allowance = ledger or Slips(), allowance or Allowance(None)
        payer = self._payers.get(name)
        labels = payer.labels if payer else Labels(name, None, None, "map", None, None)
        return Account(
            environment=self._environment,
            labels=labels,
            model=payer.model if payer else None,
            price=payer.price if payer else None,
            recorded=payer is not None and payer.recorded,
            budget=None,
            allowance=allowance,
            ledger=ledger,
            spent=None,
            of_model=partial(self._account, ledger=ledger, allowance=allowance),
        )


class Stations:
    """The stations of a worker process, by the name of their run.

    With `tell` they tell the user of long pauses, on stderr.
    """

    # Seconds without work after which a station is closed whose run was killed.
    _IDLE = 300.0

    def __init__(self, *, tell: bool = False) -> None:
        self._tell = tell
        self._stations: dict[str, Station] = {}
        self._ended: set[str] = set()
        # Held while a station is made: the batches of a run may begin at the same time.
        self._making = threading.Lock()

    def of(self, batch: Parcel) -> Station:
        """Return the station for the run of a batch, made for its first one.

        Raises ConfigError where this worker lacks a key or a part of llmcli, and the like.
        """
        with self._making:
            self._close_unused()
            station = self._stations.get(batch.run)
            if station is None:
                station = self._stations[batch.run] = Station(batch.work)
                if self._tell:
                    station.tell_pauses()
                if batch.run in self._ended:
                    station.stop()
            return station

    def stop(self, run: str) -> None:
        """Send no more requests for a run."""
        self._ended.add(run)
        if station := self._stations.get(run):
            station.stop()

    def forget(self, run: str) -> None:
        """Close the station of a run that has ended."""
        self.stop(run)
        if station := self._stations.pop(run, None):
            station.close()

    def abandon(self) -> None:
        """End the programs of tools that still run."""
        for station in list(self._stations.values()):
            station.abandon()

    def _close_unused(self) -> None:
        before = time.monotonic() - self._IDLE
        for run, station in list(self._stations.items()):
            if station.idle and station.used < before:
                self.forget(run)

"""An executor that sends records to the workers of a cluster in batches.

A batch is one to two seconds of work for one worker. What a worker did not begin, or what was under
way when it died, is sent again. Nothing here knows what the workers are.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from llmcli.api.trace import Trace
from llmcli.batch.cluster.crew import Crew
from llmcli.batch.cluster.parcels import Answered, Order, Parcel
from llmcli.batch.cluster.purse import Purse, Ticket
from llmcli.batch.cluster.sizes import ChangingSlots, Sizes
from llmcli.batch.cluster.waiting import Waiting
from llmcli.batch.spec import Work
from llmcli.batch.task import Outcome, Task, lost_outcome
from llmcli.chat.call import Call
from llmcli.chat.report import report
from llmcli.errors import BudgetExceeded, LlmcliError, Unbounded

# Seconds to wait for further records where there are fewer than a batch takes.
_GATHER = 0.01
# Seconds between two looks for new workers.
_PERIOD = 1.0


class BatchExecutor(Executor):
    """Hands records to `crew` in batches and resolves the future of each as its answer comes.

    `slots` bounds how many records are in it. `work` is that of one worker.
    """

    def __init__(self, crew: Crew, work: Work, purse: Purse) -> None:
        self._crew = crew
        self._work = work
        self._purse = purse
        self._run = uuid.uuid4().hex
        self._changed = threading.Condition()
        self._waiting = Waiting()
        # The tickets that are with a worker, by the number of their batch and their position.
        self._sent: dict[int, dict[int, Ticket]] = {}
        self._batches = 0
        self._sizes = Sizes(work.caps.workers)
        self._succeeded = False
        self._over = False
        self._again = 0
        self._tell: Callable[[LlmcliError], None] = _ignore
        self._failure: LlmcliError | None = None
        self.slots = ChangingSlots(self._capacity)
        threading.Thread(target=self._dispatch, daemon=True).start()
        crew.start(self)

    @property
    def run(self) -> str:
        """Return the name of the run, by which the workers know it."""
        return self._run

    def watch(self, tell: Callable[[LlmcliError], None]) -> None:
        """Call `tell` once no worker is left, with the error that says why."""
        with self._changed:
            self._tell = tell
            failure = self._failure
        if failure:
            tell(failure)

    def submit(  # type: ignore[override]
        self, _work: Callable[[Task], Any], task: Task, /
    ) -> Future[Outcome | None]:
        """Return the future of the outcome of `task`; that is None if the task was not asked."""
        ticket = Ticket(task)
        with self._changed:
            if not self._over:
                self._waiting.add(ticket)
                if len(self._waiting) == 1:  # else it has been woken, or waits for room
                    self._changed.notify_all()
                return ticket.future
        ticket.end(None)
        return ticket.future

    def stop(self) -> None:
        """Send no more records, and let the workers begin none."""
        with self._changed:
            was_over, self._over = self._over, True
            waiting = self._waiting.take_all()
            self._changed.notify_all()
        self._purse.close()
        self._give_up(waiting)
        if not was_over:
            self._crew.stop()

    def close(self) -> None:
        """Leave the workers: what is under way is not waited for."""
        self._crew.close()

    def finish(self) -> str | None:
        """End the run at the workers and in the ledger; return a warning or None."""
        self._crew.close()
        warnings = []
        if self._again:
            records = "record was" if self._again == 1 else "records were"
            warnings.append(
                f"{self._again} {records} with a worker that died, and asked again; what that "
                "worker had asked may be billed twice"
            )
        if (problem := self._purse.finish()) is not None:
            warnings.append(problem)
        return "; ".join(warnings) or None

    # What the crew reports, from any thread:

    def answered(self, number: int, answers: Sequence[Answered]) -> None:
        """Take in answers of batch `number`; those of one that was given up are ignored."""
        with self._changed:
            sent = self._sent.get(number, {})
            found = [
                (sent.pop(answer.position), answer) for answer in answers if answer.position in sent
            ]
            self._sizes.learn([answer.seconds for _, answer in found if answer.outcome])
        again = [ticket for ticket, answer in found if self._is_to_be_asked_again(ticket, answer)]
        self._put_back(again)

    def ended(self, number: int) -> None:
        """Note that a worker has ended batch `number`: what it did not answer, it did not begin."""
        self._put_back(self._rest_of(number))

    def lost(self, number: int) -> None:
        """Note that the worker of batch `number` died; the batch is not under way any more."""
        rest = self._rest_of(number)
        self._count_lost(rest)
        self._put_back(rest)

    def repeated(self, number: int) -> None:
        """Note that another worker has begun batch `number` anew, as the one before died."""
        with self._changed:
            rest = list(self._sent.get(number, {}).values())
        self._count_lost(rest)
        for ticket in rest:
            try:
                self._purse.pay(ticket)
            except LlmcliError as error:  # it is under way already: its cost will be counted
                ticket.warnings.append(str(error))

    def failed(self, number: int, error: BaseException) -> None:
        """Note that batch `number` cannot be answered by any worker."""
        for ticket in self._rest_of(number):
            self._purse.lose(ticket)
            ticket.end(lost_outcome(ticket.task, error))

    def gone(self, error: LlmcliError) -> None:
        """Note that there are no workers any more, because of `error`."""
        with self._changed:
            if self._failure:
                return
            self._failure, self._over = error, True
            lost = [ticket for batch in self._sent.values() for ticket in batch.values()]
            waiting = self._waiting.take_all()
            self._sent.clear()
            tell = self._tell
            self._changed.notify_all()
        tell(error)
        self._purse.close()
        for ticket in lost:
            self._purse.lose(ticket)
            ticket.end(None)
        self._give_up(waiting)

    # Batches:

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                while not (self._over or (self._waiting.ready and self._has_room())):
                    self._changed.wait(_PERIOD)  # a worker may have joined
                    self._waiting.stuck = False
                if self._over:
                    return
                few = len(self._waiting) < self._sizes.full
            if few:
                time.sleep(_GATHER)
            tickets = self._paid(self._take())
            if tickets:
                self._send(tickets)

    def _take(self) -> deque[Ticket]:
        """Return the tickets of the next batch."""
        with self._changed:
            return self._waiting.take(self._sizes.next(len(self._waiting), self._crew.count()))

    def _paid(self, tickets: deque[Ticket]) -> list[Ticket]:
        """Pay for tickets and return them, until one has to wait for what is under way.

        The rest goes back. A ticket that can never be paid for has failed.
        """
        paid: list[Ticket] = []
        while tickets:
            ticket = tickets[0]
            if not ticket.future.running() and not ticket.future.set_running_or_notify_cancel():
                tickets.popleft()
                continue
            try:
                if not self._purse.pay(ticket):
                    break
                paid.append(tickets.popleft())
            except LlmcliError as error:
                tickets.popleft()
                ticket.end(None if self._over else _refused(ticket.task, error))
            except Exception as error:  # noqa: BLE001  # else the run would wait for it for ever
                tickets.popleft()
                ticket.end(lost_outcome(ticket.task, error))
        self._put_back(tickets, stuck=bool(tickets) and not paid)
        return paid

    def _send(self, tickets: list[Ticket]) -> None:
        orders = tuple(Order(ticket.task, ticket.most) for ticket in tickets)
        payers = dict(self._purse.payer(ticket.task) for ticket in tickets)
        with self._changed:
            over = self._over
            if not over:
                self._batches += 1
                number = self._batches
                self._sent[number] = dict(enumerate(tickets))
        if over:
            self._give_up(tickets)
            return
        self._purse.flush()
        try:
            self._crew.send(Parcel(self._run, number, self._work, orders, payers, self._succeeded))
        except Exception as error:  # noqa: BLE001  # such as one that cannot be pickled
            self.failed(number, error)

    def _has_room(self) -> bool:
        sent = sum(len(batch) for batch in self._sent.values())
        return sent < self._sizes.with_worker * self._crew.count()

    def _capacity(self) -> int:
        return self._sizes.on_their_way * max(self._crew.count(), 1)

    def _is_to_be_asked_again(self, ticket: Ticket, answer: Answered) -> bool:
        """Settle an answer and hand it out, unless an attempt has spent the amount of its record.

        Then return True.
        """
        outcome = answer.outcome
        try:
            self._purse.settle(ticket, answer)
            if outcome is not None:
                asked = bool(outcome.report["llmcli"]["attempts"])
                lacked = asked and isinstance(outcome.error, BudgetExceeded)
                if lacked and ticket.tries < self._work.rules.retries:
                    ticket.tries += 1
                    return True
                self._succeeded = self._succeeded or outcome.error is None
                outcome = outcome._replace(task=ticket.task)
            ticket.end(outcome)
        except Exception as error:  # noqa: BLE001  # else the run would wait for it for ever
            ticket.end(lost_outcome(ticket.task, error))
        return False

    def _rest_of(self, number: int) -> list[Ticket]:
        with self._changed:
            return list(self._sent.pop(number, {}).values())

    def _put_back(self, tickets: Iterable[Ticket], *, stuck: bool = False) -> None:
        """Let tickets be sent before all others; give them up if the run is over."""
        tickets = list(tickets)
        with self._changed:
            over = self._over
            if not over:
                self._waiting.put_back(tickets)
                self._waiting.stuck = stuck
            self._changed.notify_all()
        if over:
            self._give_up(tickets)

    def _give_up(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            self._purse.take_back(ticket)
            ticket.end(None)

    def _count_lost(self, tickets: Sequence[Ticket]) -> None:
        self._again += len(tickets)
        for ticket in tickets:
            self._purse.lose(ticket)


def _ignore(_error: LlmcliError) -> None:
    pass


def _refused(task: Task, error: LlmcliError) -> Outcome:
    """Return the outcome of a task that was not sent to a worker because of `error`."""
    own = isinstance(error, Unbounded) and task.custom_id is not None
    return Outcome(task, report(Call(Trace()), error), error=error, sent=False, fatal=not own)

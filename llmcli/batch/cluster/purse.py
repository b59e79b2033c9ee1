"""What workers may spend and have spent: set aside and recorded on the machine of the run."""

import threading
from concurrent.futures import Future, InvalidStateError
from decimal import Decimal

from llmcli.api.reply import cost as pricing
from llmcli.api.reply.cost import Cost
from llmcli.api.reply.usage import Tokens
from llmcli.api.trace import Trace
from llmcli.batch.cluster.parcels import Answered, Payer
from llmcli.batch.task import Outcome, Task
from llmcli.batch.worker import RecordRules
from llmcli.errors import BudgetExceeded, ConfigError, LlmcliError, WriteError
from llmcli.spending.account import Account
from llmcli.spending.bill import Bill
from llmcli.spending.estimate import Bound
from llmcli.spending.ledger import Intent, Settlement
from llmcli.spending.meter import Meter, not_recorded
from llmcli.system.dataclass import replace


class Ticket:
    """A record on its way through a cluster, and the future of its outcome.

    While it is paid for, `most` is what it may cost in USD (None: no limit), and `intent` its line
    in the ledger. `tries` counts how often its amount did not suffice.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.future: Future[Outcome | None] = Future()
        self.warnings: list[str] = []
        self.paid = False
        self.most: Decimal | None = None
        self.intent: Intent | None = None
        self.tries = 0

    def end(self, outcome: Outcome | None) -> None:
        """Hand out the outcome, with the warnings of this machine; None: it was not asked."""
        if outcome is not None and self.warnings:
            outcome = outcome._replace(warnings=(*outcome.warnings, *self.warnings))
        try:
            self.future.set_result(outcome)
        except InvalidStateError:  # the run has cancelled it, or given it up before
            pass


class Purse:
    """The account of a run whose requests are sent by workers.

    A record is paid for before it is sent to a worker, with the most that its requests may cost. It
    is asked again with as much, if that did not suffice because an attempt broke.
    """

    def __init__(self, account: Account, rules: RecordRules, turns: int) -> None:
        self._account = account
        self._local = rules.local
        self._model = rules.model
        self._turns = turns
        # By the names of models.
        self._payers: dict[str, Payer] = {}
        self._meters: dict[str, Meter] = {}
        # How many records are paid for.
        self._paid = 0
        self._lock = threading.Lock()
        self._has_budget = account.is_limited
        self._limited = self._has_budget or account.allowance.usd is not None

    def payer(self, task: Task) -> tuple[str, Payer]:
        """Return the model of a task, and what a worker must know to price it."""
        name = self._name(task)
        if name not in self._payers:
            account = self._account.of_model(name)
            self._payers[name] = Payer(
                account.labels, account.model, account.price, account.recorded
            )
        return name, self._payers[name]

    def pay(self, ticket: Ticket) -> bool:
        """Set aside what a record may cost, record that it is about to be sent, and return True.

        Does nothing if that was done, as for a record that a worker gave back. Returns False if too
        little is left only because of what other records of the run have set aside. Raises
        BudgetExceeded if --max-cost or a budget would be exceeded, WriteError or ConfigError if
        there is a budget and the ledger cannot be written.
        """
        if ticket.paid or ticket.task.request is None:
            return True
        meter, bound = self._meter(ticket), self._bound(ticket)
        usd = meter.known(bound) if self._limited else None
        # Before it is looked at: what ends in between only leaves more.
        others = self._paid > 0
        allowance = self._account.allowance
        if usd is not None and others and allowance.is_tight(usd):
            return False
        allowance.reserve(usd or Decimal(0))
        try:
            ticket.intent = self._begin(ticket, meter, bound)
        except BaseException as error:
            allowance.settle(usd or Decimal(0), Decimal(0))
            if isinstance(error, BudgetExceeded) and others:
                return False
            raise
        ticket.most, ticket.paid = usd, True
        with self._lock:
            self._paid += 1
        return True

    def _begin(self, ticket: Ticket, meter: Meter, bound: Bound) -> Intent | None:
        """Record that a record is about to be sent; None if it is not recorded.

        Without a budget, `flush` writes what was recorded: the records of a batch together.
        """
        account = meter.account
        if self._has_budget or not account.recorded:
            return meter.begin(bound)
        try:
            return account.ledger.begin_later(account.labels, bound.cost)
        except ConfigError as error:
            ticket.warnings.append(not_recorded(error))
            return None

    def flush(self) -> None:
        """Write what the ledger has to record, before the records that were paid for are sent."""
        self._account.ledger.flush()

    def _release(self, ticket: Ticket) -> None:
        ticket.paid, ticket.intent = False, None
        with self._lock:
            self._paid -= 1

    def settle(self, ticket: Ticket, answer: Answered) -> None:
        """Record what the requests of a record have cost."""
        if not ticket.paid:
            return
        self._account.allowance.settle(ticket.most or Decimal(0), answer.spent)
        try:
            if ticket.intent and not answer.charges:
                self._settle(ticket.intent, _not_sent(answer.outcome))
            for number, charge in enumerate(answer.charges):
                # The intent was that of the first request; further turns and retries follow it.
                intent = ticket.intent if number == 0 else None
                intent = intent or self._account.ledger.begin(charge.labels, charge.estimate)
                self._settle(intent, charge.settlement)
        except (WriteError, ConfigError) as error:
            ticket.warnings.append(not_recorded(error))
        self._release(ticket)

    def _settle(self, intent: Intent, settlement: Settlement) -> None:
        if self._has_budget and self._account.spent:
            self._account.spent.settle(intent, settlement.cost)
        self._account.ledger.settle(intent, settlement)

    def lose(self, ticket: Ticket) -> None:
        """Count a record whose worker died at the most that it may have cost.

        In the ledger its intent stays without a settlement, which says the same.
        """
        if ticket.paid:
            most = ticket.most or Decimal(0)
            self._account.allowance.settle(most, most)
            self._release(ticket)

    def take_back(self, ticket: Ticket) -> None:
        """Record that a paid record was never sent."""
        self.settle(ticket, Answered(0, None, (), Decimal(0), 0.0))

    def close(self) -> None:
        """Let no further record be paid for."""
        self._account.allowance.close()

    def finish(self) -> str | None:
        """Write what the ledger still has to record; return a warning if that failed."""
        try:
            self._account.ledger.finish()
        except WriteError as error:
            return not_recorded(error)
        return None

    def _name(self, task: Task) -> str:
        return str((task.request or {}).get("model", self._model))

    def _meter(self, ticket: Ticket) -> Meter:
        """Return the meter for all records that go to the same model."""
        name = self._name(ticket.task)
        if name not in self._meters:
            account = self._account.of_model(name)
            self._meters[name] = Meter(account, Bill(account.price, self._local), Trace())
        return self._meters[name]

    def _bound(self, ticket: Ticket) -> Bound:
        """Return the most that all turns of a record may take."""
        assert ticket.task.request is not None
        bound = self._meter(ticket).bound(ticket.task.request)
        if self._turns == 1 or bound.cost.usd is None:
            return bound
        cost = Cost(bound.cost.usd * self._turns, bound.cost.source)
        return replace(bound, cost=cost)


def _not_sent(outcome: Outcome | None) -> Settlement:
    error: LlmcliError | None = outcome.error if outcome else None
    kind = error.kind if error else "interrupted"
    return Settlement(kind, None, None, Tokens.of(None), pricing.NOT_BILLED, 0.0)

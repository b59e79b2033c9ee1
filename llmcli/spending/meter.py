"""Around each request: what it may cost is looked at before, what it did cost is recorded after."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from llmcli.api import usage as pricing
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.api.usage import Cost, Tokens
from llmcli.errors import (
    ConfigError,
    ExitCode,
    Interrupted,
    LlmcliError,
    NetworkError,
    Unbounded,
    WriteError,
)
from llmcli.spending import estimate
from llmcli.spending.account import Account
from llmcli.spending.bill import Bill
from llmcli.spending.estimate import Bound
from llmcli.spending.ledger import Intent, Settlement
from llmcli.system.dataclass import dataclass

if TYPE_CHECKING:
    pass

T = TypeVar("T")
_NO_TURN = nullcontext()


@dataclass
class Meter:
    """Of one call, whose `bill` it reads, on an account that it may share with others."""

    account: Account
    bill: Bill
    trace: Trace

    def around(
        self,
        request: ChatRequest,
        attempt: Callable[[], T],
        turn: AbstractContextManager[object] = _NO_TURN,
    ) -> T:
        """`attempt()`, on the books, in its `turn`, which is waited for when the money is there.

        Raises BudgetExceeded; WriteError if a budget depends on what cannot be written."""
        bound = self.bound(request)
        allowance = self.account.allowance
        reserved = Decimal(0) if allowance.usd is None else self._known(bound)
        allowance.reserve(reserved)
        spent = Decimal(0)
        try:
            with turn:
                intent = self._begin(bound)
                started = time.monotonic()
                error: BaseException | None = None
                try:
                    return attempt()
                except BaseException as raised:
                    error = raised
                    raise
                finally:
                    spent = self._settle(intent, bound, started, error)
        finally:
            allowance.settle(reserved, spent)

    def bound(self, request: ChatRequest) -> Bound:
        """What the request may cost at most."""
        if self.bill.local:
            return Bound(0, 0, pricing.LOCAL)
        if self.bill.price is None:
            return Bound(0, None, pricing.UNKNOWN)
        return estimate.bound(request, self.account.model, self.bill.price)

    def _known(self, bound: Bound) -> Decimal:
        """A request of unknown cost keeps to no budget. Raises BudgetExceeded."""
        if bound.cost.usd is not None:
            return bound.cost.usd
        why = f"the price of {self.account.about.model} is not known"
        hint = "`llmcli models --refresh` asks for prices, or set prices in config.toml"
        if bound.output is None and self.bill.price is not None:
            why, hint = "the answer has no bound", "give --max-tokens"
        raise Unbounded(f"{why}, so no budget can be kept; nothing sent", hint=hint)

    def _begin(self, bound: Bound) -> Intent | None:
        account, environment = self.account, self.account.environment
        if account.budget and account.budget.of_tag(account.about.tag):
            from llmcli.spending import budget

            usd = self._known(bound)
            with account.alone, budget.alone(environment):
                budget.check_budget(environment, account.budget, account.about.tag, usd)
                return account.ledger.begin(account.about, bound.cost)
        if not account.recorded:
            return None
        try:
            return account.ledger.begin(account.about, bound.cost)
        except (WriteError, ConfigError) as error:
            self._unrecorded(error)
            return None

    def _unrecorded(self, error: LlmcliError) -> None:
        """It costs nobody the answer."""
        self.trace.warn(not_recorded(error))

    def _settle(
        self, intent: Intent | None, bound: Bound, started: float, error: BaseException | None
    ) -> Decimal:
        """USD that are known to be spent."""
        usage = self.bill.accumulator.usage
        cost = self._cost(bound, error)
        spent = cost.usd or Decimal(0)
        if intent is None:
            return spent
        attempts = self.trace.attempts
        settlement = Settlement(
            exit=_exit(error),
            status=attempts[-1]["status"] if attempts else None,
            request_id=self.trace.request_id,
            tokens=Tokens.of(usage),
            cost=cost,
            seconds=time.monotonic() - started,
        )
        try:
            self.account.ledger.settle(intent, settlement)
        except (WriteError, ConfigError) as failure:
            self._unrecorded(failure)
        return spent

    def _cost(self, bound: Bound, error: BaseException | None) -> Cost:
        """As the server says; of what it does not say, a bound: no more than was reckoned with."""
        told = self.bill.attempt_cost()
        if told.usd is not None:
            return told
        if not self.bill.accumulator.begun and _refused(error, self.trace):
            return pricing.NOT_BILLED
        price = self.bill.price
        if price is None:
            return pricing.UNKNOWN
        if isinstance(error, Interrupted) and not self.bill.accumulator.begun:
            return bound.cost  # the server may go on, and nobody hears how far
        reckoned = price.times(bound.input, self.bill.accumulator.bytes)
        if bound.cost.usd is not None and reckoned.usd is not None:
            return min(reckoned, bound.cost, key=lambda cost: cost.usd or 0)
        return reckoned


def not_recorded(error: LlmcliError) -> str:
    return f"not recorded: {error}"


def _refused(error: BaseException | None, trace: Trace) -> bool:
    """By an HTTP status, or it never reached the endpoint."""
    if not isinstance(error, LlmcliError):
        return False
    status = error.status or 0
    return status >= 400 or isinstance(error, NetworkError) or not trace.sent


def _exit(error: BaseException | None) -> str:
    if error is None:
        return ExitCode.OK.kind
    return error.kind if isinstance(error, (LlmcliError, Interrupted)) else "interrupted"

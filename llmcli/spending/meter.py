"""Around each request: what it may cost is looked at before, what it did cost is recorded after."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from llmcli.api import usage as pricing
from llmcli.api.models import Model
from llmcli.api.types import ChatRequest
from llmcli.api.usage import Cost, Price, Tokens
from llmcli.chat.call import Call
from llmcli.errors import (
    BudgetExceeded,
    ConfigError,
    ExitCode,
    Interrupted,
    LlmcliError,
    NetworkError,
    WriteError,
)
from llmcli.spending import estimate
from llmcli.spending.estimate import Bound
from llmcli.spending.ledger import About, Intent, Ledger, Settlement
from llmcli.spending.max_cost import Allowance
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.spending.budget import Budget

T = TypeVar("T")
_NO_TURN = nullcontext()


@dataclass
class Account:
    """On whose account the requests of a run go. `recorded`: whether the ledger is kept; `alone`:
    no other thread looks at a budget; `of_model`: the same, for another model."""

    environment: Environment
    about: About
    model: Model | None
    price: Price | None
    recorded: bool
    budget: "Budget | None"
    allowance: Allowance
    ledger: Ledger
    alone: "threading.Lock"
    of_model: Callable[[str], "Account"]


@dataclass
class Meter:
    """Of one call, on an account that it may share with others."""

    account: Account
    call: Call

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
        if self.call.local:
            return Bound(0, 0, pricing.LOCAL)
        if self.call.price is None:
            return Bound(0, None, pricing.UNKNOWN)
        return estimate.bound(request, self.account.model, self.call.price)

    def _known(self, bound: Bound) -> Decimal:
        """A request of unknown cost keeps to no budget. Raises BudgetExceeded."""
        if bound.cost.usd is not None:
            return bound.cost.usd
        why = f"the price of {self.call.model} is not known"
        hint = "`llmcli models --refresh` asks for prices, or set prices in config.toml"
        if bound.output is None and self.call.price is not None:
            why, hint = "the answer has no bound", "give --max-tokens"
        error = BudgetExceeded(f"{why}, so no budget can be kept; nothing sent", hint=hint)
        error.unbounded = True
        raise error

    def _begin(self, bound: Bound) -> Intent | None:
        account, environment = self.account, self.account.environment
        if account.budget and account.budget.of_tag(account.about.tag):
            from llmcli.spending import budget

            usd = self._known(bound)
            with account.alone, budget.alone(environment):
                budget.check(environment, account.budget, account.about.tag, usd)
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
        self.call.trace.warn(not_recorded(error))

    def _settle(
        self, intent: Intent | None, bound: Bound, started: float, error: BaseException | None
    ) -> Decimal:
        """USD that are known to be spent."""
        usage = self.call.accumulator.usage
        cost = self._cost(bound, error)
        spent = cost.usd or Decimal(0)
        if intent is None:
            return spent
        attempts = self.call.trace.attempts
        settlement = Settlement(
            exit=_exit(error),
            status=attempts[-1]["status"] if attempts else None,
            request_id=self.call.trace.request_id,
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
        told = self.call.attempt_cost()
        if told.usd is not None:
            return told
        if not self.call.accumulator.begun and _refused(error, self.call):
            return pricing.NOT_BILLED
        price = self.call.price
        if price is None:
            return pricing.UNKNOWN
        if isinstance(error, Interrupted) and not self.call.accumulator.begun:
            return bound.cost  # the server may go on, and nobody hears how far
        reckoned = price.times(bound.input, self.call.accumulator.bytes)
        if bound.cost.usd is not None and reckoned.usd is not None:
            return min(reckoned, bound.cost, key=lambda cost: cost.usd or 0)
        return reckoned


def not_recorded(error: LlmcliError) -> str:
    return f"not recorded: {error}"


def _refused(error: BaseException | None, call: Call) -> bool:
    """By an HTTP status, or it never reached the endpoint."""
    if not isinstance(error, LlmcliError):
        return False
    status = error.status or 0
    return status >= 400 or isinstance(error, NetworkError) or not call.trace.sent


def _exit(error: BaseException | None) -> str:
    if error is None:
        return ExitCode.OK.kind
    return error.kind if isinstance(error, (LlmcliError, Interrupted)) else "interrupted"

"""Around each request: what it may cost is looked at before, what it did cost is recorded after."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from . import estimate, ledger, pricing
from .call import Call
from .catalogue import Model
from .dataclass import dataclass, field
from .environment import Environment
from .errors import (
    BudgetExceeded,
    ConfigError,
    ExitCode,
    Interrupted,
    LlmcliError,
    NetworkError,
    WriteError,
)
from .estimate import Bound
from .ledger import About, Intent, Settlement
from .pricing import Cost, Tokens, dollars
from .schema import ChatRequest

if TYPE_CHECKING:
    from .budget import Budget

T = TypeVar("T")


@dataclass
class Meter:
    """`max_cost`: USD for the whole run. `recorded`: whether the ledger is kept."""

    environment: Environment
    call: Call
    about: About
    model: Model | None
    recorded: bool
    budget: "Budget | None"
    max_cost: Decimal | None
    spent: Decimal = field(default=Decimal(0))

    def around(self, request: ChatRequest, attempt: Callable[[], T]) -> T:
        """`attempt()`, on the books. Raises BudgetExceeded; WriteError if a budget depends on what
        cannot be written."""
        bound = self._bound(request)
        self._check_run(bound)
        intent = self._begin(bound)
        started = time.monotonic()
        try:
            result = attempt()
        except BaseException as error:
            self._settle(intent, bound, started, error)
            raise
        self._settle(intent, bound, started, None)
        return result

    def _bound(self, request: ChatRequest) -> Bound:
        if self.call.local:
            return Bound(0, 0, pricing.LOCAL)
        if self.call.price is None:
            return Bound(0, None, pricing.UNKNOWN)
        return estimate.bound(request, self.model, self.call.price)

    def _check_run(self, bound: Bound) -> None:
        if self.max_cost is None:
            return
        usd = self._known(bound)
        if self.spent + usd > self.max_cost:
            already = f", and {dollars(self.spent)} is spent" if self.spent else ""
            raise BudgetExceeded(
                f"--max-cost {dollars(self.max_cost)}: this request may cost {dollars(usd)}"
                f"{already}; it was not sent",
                hint="bound it by --max-tokens, or allow more",
            )

    def _known(self, bound: Bound) -> Decimal:
        """A request of unknown cost keeps to no budget. Raises BudgetExceeded."""
        if bound.cost.usd is not None:
            return bound.cost.usd
        if bound.output is None and self.call.price is not None:
            raise BudgetExceeded("the answer has no bound, so no budget can be kept; nothing sent",
                                 hint="give --max-tokens")  # fmt: skip
        raise BudgetExceeded(
            f"the price of {self.call.model} is not known, so no budget can be kept; nothing sent",
            hint="`llmcli models --refresh` asks for prices, or set prices in config.toml",
        )

    def _begin(self, bound: Bound) -> Intent | None:
        if self.budget and self.budget.of_tag(self.about.tag):
            from . import budget

            usd = self._known(bound)
            with budget.alone(self.environment):
                budget.check(self.environment, self.budget, self.about.tag, usd)
                return ledger.begin(self.environment, self.about, bound.cost)
        if not self.recorded:
            return None
        try:
            return ledger.begin(self.environment, self.about, bound.cost)
        except (WriteError, ConfigError) as error:
            self._unrecorded(error)
            return None

    def _unrecorded(self, error: LlmcliError) -> None:
        """Said once; it costs nobody the answer."""
        self.recorded = False
        self.call.trace.warn(f"not recorded: {error}")

    def _settle(
        self, intent: Intent | None, bound: Bound, started: float, error: BaseException | None
    ) -> None:
        usage = self.call.accumulator.usage
        cost = self._cost(bound, error)
        self.spent += cost.usd or 0
        if intent is None:
            return
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
            ledger.settle(self.environment, intent, settlement)
        except (WriteError, ConfigError) as failure:
            self._unrecorded(failure)

    def _cost(self, bound: Bound, error: BaseException | None) -> Cost:
        """As the server says; of what it does not say, a bound: no more than was reckoned with."""
        told = self.call.attempt_cost()
        if told.usd is not None:
            return told
        if not self.call.accumulator.begun and _refused(error, self.call):
            return pricing.NOT_BILLED
        price, known = self.call.price, self.call.accumulator.partial()
        if price is None:
            return pricing.UNKNOWN
        text = f"{known.text}{known.reasoning}{known.tool_calls or ''}"
        reckoned = price.times(bound.input, len(text.encode(errors="replace")))
        if bound.cost.usd is not None and reckoned.usd is not None:
            return min(reckoned, bound.cost, key=lambda cost: cost.usd or 0)
        return reckoned


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

"""The meter: it checks what a request may cost before it is sent, and records its cost after."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import TypeVar

from llmcli.api.reply import cost as pricing
from llmcli.api.reply.cost import Cost
from llmcli.api.reply.usage import Tokens
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.errors import (
    ConfigError,
    ExitCode,
    Interrupted,
    LlmcliError,
    NetworkError,
    WriteError,
)
from llmcli.spending import estimate
from llmcli.spending.account import Account
from llmcli.spending.bill import Bill
from llmcli.spending.estimate import Bound
from llmcli.spending.ledger import Intent, Settlement
from llmcli.system.dataclass import dataclass

T = TypeVar("T")
_NO_WAIT = nullcontext()


@dataclass
class Meter:
    """The meter of one call.

    `account` may be shared with other calls. `bill` is what this call has received so far, and
    `trace` its attempts, for the ledger.
    """

    account: Account
    bill: Bill
    trace: Trace

    def around(
        self,
        request: ChatRequest,
        attempt: Callable[[], T],
        slot: AbstractContextManager[object] = _NO_WAIT,
    ) -> T:
        """Send `request` by calling `attempt`, count what it costs, and return its result.

        `slot` is entered before the request is sent and left when it has ended; in `map` it waits
        for the pace. The money is set aside before that wait, so that a request that may not be
        sent does not take a place from others.

        Raises what `attempt` raises; BudgetExceeded if --max-cost or a budget would be exceeded;
        WriteError or ConfigError if there is a budget and the ledger cannot be written.
        """
        bound = self.bound(request)
        allowance = self.account.allowance
        reserved = Decimal(0) if allowance.usd is None else self.known(bound)
        allowance.reserve(reserved)
        spent = Decimal(0)
        try:
            with slot:
                intent = self.begin(bound)
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
        """Return the most that `request` may take and cost, before it is sent."""
        if self.bill.local:
            return Bound(0, 0, pricing.LOCAL)
        if self.bill.price is None:
            return Bound(0, None, pricing.UNKNOWN)
        return estimate.bound(request, self.account.model, self.bill.price)

    def known(self, bound: Bound) -> Decimal:
        """Return the most that a request may cost, in USD.

        Raises Unbounded if that is not known, since then no budget can be kept.
        """
        return estimate.usd_of(bound, self.account.labels.model, priced=self.bill.price is not None)

    def begin(self, bound: Bound) -> Intent | None:
        """Record that a request is about to be sent; None if it is not recorded.

        Raises BudgetExceeded if a budget forbids the request. An error of the ledger is raised only
        where a budget depends on it; else it is a warning, as the answer matters more.
        """
        account = self.account
        if account.is_limited:
            assert account.spent
            self.known(bound)
            return account.spent.begin(account.ledger, account.labels, bound.cost)
        if not account.recorded:
            return None
        try:
            return account.ledger.begin(account.labels, bound.cost)
        except (WriteError, ConfigError) as error:
            self.trace.warn(not_recorded(error))
            return None

    def _settle(
        self, intent: Intent | None, bound: Bound, started: float, error: BaseException | None
    ) -> Decimal:
        """Record how the request has ended, and return the USD that are known to be spent.

        `started` is a time of `time.monotonic`, `error` what ended the attempt, None for success.
        """
        usage = self.bill.accumulator.usage
        cost = self._cost(bound, error)
        spent = cost.usd or Decimal(0)
        if intent is None:
            return spent
        if self.account.is_limited and self.account.spent:
            self.account.spent.settle(intent, cost)
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
            self.trace.warn(not_recorded(failure))
        return spent

    def _cost(self, bound: Bound, error: BaseException | None) -> Cost:
        """Return what the attempt has cost, estimated where the server does not say it.

        A request that was refused, or never reached the endpoint, is not billed. The estimate
        counts a token for each byte of the answer so far, and is never more than `bound`.
        """
        known = self.bill.attempt_cost()
        if known.usd is not None:
            return known
        if not self.bill.accumulator.begun and _refused(error, self.trace):
            return pricing.NOT_BILLED
        price = self.bill.price
        if price is None:
            return pricing.UNKNOWN
        if isinstance(error, Interrupted) and not self.bill.accumulator.begun:
            return bound.cost  # the server may have gone on to the end of its answer
        estimated = price.times(bound.input, self.bill.accumulator.bytes)
        if bound.cost.usd is not None and estimated.usd is not None:
            return min(estimated, bound.cost, key=lambda cost: cost.usd or 0)
        return estimated


def not_recorded(error: LlmcliError) -> str:
    """Return the warning that the ledger could not be written because of `error`."""
    return f"not recorded: {error}"


def _refused(error: BaseException | None, trace: Trace) -> bool:
    """Return whether the endpoint refused the request, or never received it."""
    if not isinstance(error, LlmcliError):
        return False
    status = error.status or 0
    return status >= 400 or isinstance(error, NetworkError) or not trace.sent


def _exit(error: BaseException | None) -> str:
    """Return the name of the exit code for `error`, as the ledger has it."""
    if error is None:
        return ExitCode.OK.kind
    return error.kind if isinstance(error, (LlmcliError, Interrupted)) else "interrupted"

"""The money of batches: their bound before anything is sent, and the ledger."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

from llmcli.api import errors
from llmcli.api.reply import cost as pricing
from llmcli.api.reply.cost import Cost, Price, dollars
from llmcli.api.reply.usage import Tokens
from llmcli.api.types import ChatRequest
from llmcli.batch.server.parts import BILLED, BILLING, Part
from llmcli.batch.server.requests_file import RequestsFile
from llmcli.errors import BudgetExceeded, ConfigError, ExitCode, WriteError
from llmcli.spending import estimate, ledger
from llmcli.spending.account import Account
from llmcli.spending.ledger import INTENT, SETTLED, Intent, Settlement
from llmcli.spending.max_cost import Allowance
from llmcli.spending.meter import not_recorded
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment

# The reply to a request as the output of a batch has it; None if there is none.
Reply = dict[str, Any] | None


class Books:
    """The account of a run by batches, whose requests cost `share` of the price of a live one."""

    def __init__(self, environment: Environment, account: Account, share: Decimal) -> None:
        self._environment = environment
        self._account = account
        self._share = share

    def price(self, model: str) -> Price | None:
        """Return what a batch costs with `model`; None if the price is not known."""
        price = self._account.of_model(model).price
        return price and price.part(self._share)

    def bound(self, request: ChatRequest) -> Decimal | None:
        """Return the most that a request may cost, in USD; None if that is not known.

        Raises Unbounded if a limit needs it.
        """
        account = self._account.of_model(request["model"])
        price = self.price(request["model"])
        bound = estimate.bound(request, account.model, price)
        if self._has_limit:
            return estimate.usd_of(bound, request["model"], priced=price is not None)
        return bound.cost.usd

    @property
    def _has_limit(self) -> bool:
        account = self._account
        budget = account.budget
        limited = budget is not None and bool(budget.limits_for(account.labels.tag))
        return limited or account.allowance.usd is not None

    def reserve(self, files: Sequence[RequestsFile], write: Callable[[], None]) -> None:
        """Record that the requests of `files` are about to be sent, once `write` has returned.

        Raises BudgetExceeded if all of them together might exceed --max-cost or a budget, and then
        nothing is written; what `write` raises; LockHeld, WriteError and ConfigError if a budget
        depends on the ledger and that cannot be written.
        """
        total = Decimal(0)
        for file in files:
            total += sum((Decimal(str(usd)) for usd in file.bounds if usd is not None), Decimal(0))
        self._check_max_cost(total)
        account = self._account
        budget = account.budget and account.budget.limits_for(account.labels.tag)
        turn: AbstractContextManager[None] = nullcontext()
        if budget:
            assert account.spent
            turn = account.spent.reserved(account.labels.tag, total)
        with turn:
            write()
            for file in files:
                lines = (
                    ledger.intent_line(self._intent(file.part, line), _cost(usd))
                    for line, usd in enumerate(file.bounds)
                )
                self._append(file.part, lines, must=bool(budget))

    def _check_max_cost(self, total: Decimal) -> None:
        most = self._account.allowance.usd
        if most is not None and total > most:
            raise BudgetExceeded(
                f"--max-cost {dollars(most)}: the batch may cost {dollars(total)}; it was not sent",
                hint="give a smaller --max-tokens or a larger --max-cost",
            )

    def bill(
        self, part: Part, reply_to: Callable[[int], Reply], step: Callable[[str], None]
    ) -> None:
        """Write to the ledger what each request of a part has cost, once, whatever is killed when.

        `reply_to` returns the reply to the request in a line; `step` notes what was done.
        """
        if part.state == BILLED:
            return
        settled = self._events(part) if part.state == BILLING else {}
        step(BILLING)
        price = self.price(part.model)
        self._append(part, self._settlements(part, reply_to, price, settled))
        step(BILLED)

    def _settlements(
        self,
        part: Part,
        reply_to: Callable[[int], Reply],
        price: Price | None,
        events: dict[str, str],
    ) -> Iterator[bytes]:
        for line in range(part.count):
            intent = self._intent(part, line)
            if events.get(intent.id) == SETTLED:
                continue
            settlement = _settlement(reply_to(line), price)
            # What was answered at a cost that is not known stays at its bound.
            if settlement.cost.usd is not None or price is None:
                yield ledger.settled_line(intent, settlement)

    def drop(self, part: Part) -> None:
        """Take back what was recorded for a part that was never sent."""
        events = self._events(part)
        nothing = Settlement(
            ExitCode.ERROR.kind, None, None, Tokens.of(None), pricing.NOT_BILLED, 0.0
        )
        intents = (self._intent(part, line) for line in range(part.count))
        dropped = (one for one in intents if events.get(one.id) == INTENT)
        self._append(part, (ledger.settled_line(one, nothing) for one in dropped))

    def for_replies(self) -> Account:
        """Return the account by which replies are priced, which were paid for and recorded."""

        def of_model(name: str) -> Account:
            account, price = self._account.of_model(name), self.price(name)
            return replace(
                account, price=price, recorded=False, budget=None, spent=None,
                allowance=Allowance(None), of_model=of_model,
            )  # fmt: skip

        return of_model(self._account.labels.model or "")

    def _intent(self, part: Part, line: int) -> Intent:
        return Intent(part.ledger_id(line), part.time, self._account.of_model(part.model).labels)

    def _events(self, part: Part) -> dict[str, str]:
        if not self._account.recorded:
            return {}
        identities = {part.ledger_id(line) for line in range(part.count)}
        try:
            return ledger.events(ledger.file(self._environment, part.time[:7]), identities)
        except OSError:
            return {}

    def _append(self, part: Part, lines: Iterator[bytes], *, must: bool = False) -> None:
        if not self._account.recorded:
            return
        try:
            if text := b"".join(lines):
                self._account.ledger.append(part.time[:7], text)
        except (WriteError, ConfigError) as error:
            if must:
                raise
            self._environment.note(f"warning: {not_recorded(error)}")


def _cost(usd: float | None) -> Cost:
    return Cost(None if usd is None else Decimal(str(usd)), pricing.ESTIMATED)


def _settlement(reply: Reply, price: Price | None) -> Settlement:
    """Return what the ledger notes of a reply; one that is missing or refused is not billed."""
    response = (reply or {}).get("response")
    response = response if isinstance(response, dict) else {}
    status, request_id = response.get("status_code"), response.get("request_id")
    status = status if isinstance(status, int) else None
    body = response.get("body")
    body = body if isinstance(body, dict) else {}
    inner = body.get("data")
    usage = (inner if isinstance(inner, dict) else body).get("usage")
    usage = usage if isinstance(usage, dict) else None
    answered = status is not None and status < 400
    cost = pricing.cost(usage, price) if usage or answered else pricing.NOT_BILLED
    kind = ExitCode.OK.kind
    if not answered:
        kind = ExitCode.TRY_LATER.kind
        if status is not None:
            kind = errors.from_response(status, {}, str(body.get("error")).encode()).kind
    shown = request_id if isinstance(request_id, str) else None
    return Settlement(kind, status, shown, Tokens.of(usage), cost, 0.0)

"""Bills: what a run has received and what that cost, in its turns and discarded attempts."""

from decimal import Decimal
from typing import Any

from llmcli.api.reply import cost as pricing
from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.cost import Cost, Price
from llmcli.api.reply.usage import total
from llmcli.api.types import Usage
from llmcli.system.dataclass import dataclass, field


@dataclass(frozen=True)
class Turn:
    """One request of a run and its answer, after all attempts.

    `usage` is that of the last attempt, `cost` that of all attempts. `tool_calls` are the names of
    the tools that the answer calls.
    """

    finish_reason: str | None
    usage: Usage | None
    cost: Cost
    tool_calls: list[str]

    def report(self) -> dict[str, Any]:
        """Return the turn as `--json` shows it in `llmcli.turns`; `cost_usd` null: not known."""
        return {
            "finish_reason": self.finish_reason,
            "usage": self.usage,
            "cost_usd": None if self.cost.usd is None else float(self.cost.usd),
            "cost_source": self.cost.source,
            "tool_calls": self.tool_calls,
        }


@dataclass
class Bill:
    """What one run has to pay for.

    `price` is in USD per token, None if it is not known. `local` says that the model runs in this
    process and costs nothing. `accumulator` has the answer of the current attempt. `discarded` has
    the usage of earlier attempts of the current turn, which the endpoint has billed although they
    were tried again. `turns` are those before the current one. `response_cost` is what a header of
    the current attempt's reply says of its cost.
    """

    price: Price | None = None
    local: bool = False
    accumulator: Accumulator = field(default_factory=Accumulator)
    discarded: list[Usage] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    response_cost: str | None = None

    def cost(self) -> Cost:
        """Return the cost of all turns; it is unknown if the cost of one turn is."""
        return cost_of(self.all_turns())

    def usage(self) -> Usage | None:
        """Return the usage of a single turn as the server sent it, the sum of several turns."""
        return usage_of(self.all_turns())

    def all_turns(self) -> list[Turn]:
        """Return the earlier turns, and the current one if anything of it was received.

        The first turn is always in the list, so that a failed run has one turn as well.
        """
        begun = self.accumulator.begun or self.accumulator.usage or self.discarded
        return [*self.turns, self._turn()] if begun or not self.turns else self.turns

    def next_turn(self) -> Turn:
        """End the current turn, begin the next, and return the turn that has ended."""
        turn = self._turn()
        self.turns.append(turn)
        self.discarded, self.accumulator = [], self.accumulator.fresh()
        self.response_cost = None
        return turn

    def discard(self) -> Usage | None:
        """Drop the answer of the current attempt and return its usage, which still counts."""
        usage = self.accumulator.usage
        if usage:
            self.discarded.append(usage)
        self.accumulator = self.accumulator.fresh()
        self.response_cost = None
        return usage

    def attempt_cost(self) -> Cost:
        """Return the cost of the current attempt alone; it is unknown without a usage."""
        if self.local:
            return pricing.LOCAL
        came = self.accumulator
        return pricing.cost(came.usage, self.price, came.cost_beside, self.response_cost)

    def _turn(self) -> Turn:
        answer = self.accumulator
        return Turn(answer.finish_reason, answer.usage, self._cost_of_turn(), answer.called)

    def _cost_of_turn(self) -> Cost:
        """Return the cost of the current attempt and of the discarded ones.

        It is unknown if the current attempt has begun to answer and its own cost is unknown. If
        nothing of an answer has come, the discarded attempts are all there is to pay.
        """
        last = self.attempt_cost()
        costs = [pricing.cost(usage, self.price) for usage in self.discarded]
        earlier = [cost.usd for cost in costs if cost.usd]
        if not earlier:
            return last
        if last.usd is None and not self.accumulator.begun:
            return Cost(sum(earlier, Decimal(0)), "discarded attempts")
        if last.usd is None:
            return last
        return Cost(last.usd + sum(earlier), last.source)


def cost_of(turns: list[Turn]) -> Cost:
    """Return the cost of `turns`; it is unknown if the cost of one turn is."""
    if len(turns) == 1:
        return turns[0].cost
    known = [turn.cost.usd for turn in turns if turn.cost.usd is not None]
    if len(known) < len(turns):
        return pricing.UNKNOWN
    sources = {turn.cost.source for turn in turns if turn.cost.source}
    return Cost(sum(known, Decimal(0)), " and ".join(sorted(sources)) or None)


def usage_of(turns: list[Turn]) -> Usage | None:
    """Return the usage of a single turn as the server sent it, the sum of several `turns`."""
    return total([turn.usage for turn in turns if turn.usage])

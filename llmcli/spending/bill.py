"""What a run has received, and what that cost: the turns, and the attempts that were given up."""

from decimal import Decimal
from typing import Any

from llmcli.api import usage as pricing
from llmcli.api.accumulator import Accumulator
from llmcli.api.types import Usage
from llmcli.api.usage import Cost, Price, total
from llmcli.system.dataclass import dataclass, field


@dataclass(frozen=True)
class Turn:
    """One request of a run and its answer, after all attempts."""

    finish_reason: str | None
    usage: Usage | None
    cost: Cost
    tool_calls: list[str]  # the names of the tools

    def report(self) -> dict[str, Any]:
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

    `local`: the model runs in this process and costs nothing. `accumulator` holds the answer of
    this attempt, `discarded` the usage of attempts of this turn that were tried again: it was
    billed, so it counts. `turns` are those before this one.
    """

    price: Price | None = None
    local: bool = False
    accumulator: Accumulator = field(default_factory=Accumulator)
    discarded: list[Usage] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def cost(self) -> Cost:
        """Return the cost of all turns; unknown if that of one is."""
        return cost_of(self.all_turns())

    def usage(self) -> Usage | None:
        """Return the usage as the server sent it; of several turns the sum."""
        return usage_of(self.all_turns())

    def all_turns(self) -> list[Turn]:
        """Return the turns before and, unless nothing of it has come, this one."""
        begun = self.accumulator.begun or self.accumulator.usage or self.discarded
        return [*self.turns, self._turn()] if begun or not self.turns else self.turns

    def next_turn(self) -> Turn:
        """End this turn and return it; the next begins."""
        turn = self._turn()
        self.turns.append(turn)
        self.discarded, self.accumulator = [], self.accumulator.fresh()
        return turn

    def discard(self) -> Usage | None:
        """Forget this attempt but for its usage, which is returned."""
        usage = self.accumulator.usage
        if usage:
            self.discarded.append(usage)
        self.accumulator = self.accumulator.fresh()
        return usage

    def attempt_cost(self) -> Cost:
        """Return the cost of this attempt alone, as far as its usage says."""
        return pricing.LOCAL if self.local else pricing.cost(self.accumulator.usage, self.price)

    def _turn(self) -> Turn:
        came = self.accumulator
        called = [call["function"]["name"] for call in came.tool_calls()]
        return Turn(came.finish_reason, came.usage, self._cost_of_turn(), called)

    def _cost_of_turn(self) -> Cost:
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
    """Return the cost of `turns`; unknown if that of one is."""
    if len(turns) == 1:
        return turns[0].cost
    known = [turn.cost.usd for turn in turns if turn.cost.usd is not None]
    if len(known) < len(turns):
        return pricing.UNKNOWN
    sources = {turn.cost.source for turn in turns if turn.cost.source}
    return Cost(sum(known, Decimal(0)), " and ".join(sorted(sources)) or None)


def usage_of(turns: list[Turn]) -> Usage | None:
    """Return the usage of `turns`: of a single one as the server sent it, else the sum."""
    return total([turn.usage for turn in turns if turn.usage])

"""Prices and costs: what a request cost by the server's own words, or by a list of prices.

All amounts are in USD, as exact Decimals.
"""

from decimal import Decimal
from typing import Any

from llmcli.api.reply.usage import Tokens, finite_number, inner
from llmcli.api.types import Usage
from llmcli.system.dataclass import dataclass
from llmcli.system.text import one_line

# An amount of more USD than this is a server's mistake, not a price. So is one whose first digit
# stands below 10**-20, such as 1e-999999999.
_ABSURD = Decimal(1_000_000)
_SMALLEST = -20
_MOST_DIGITS = 12


@dataclass(frozen=True)
class Cost:
    """A cost in USD, and where the figure comes from.

    `usd` is None if the cost is not known; 0 always means that nothing has to be paid. `source` is
    the `cost_source` of the JSON object: the field of the usage, or how the figure was made.
    """

    usd: Decimal | None = None
    source: str | None = None


UNKNOWN = Cost()
LOCAL = Cost(Decimal(0), "local")
ESTIMATED = "estimated"
COST_HEADER = "x-litellm-response-cost"
_TICKS = 10**10  # of xAI, in a USD
# Of a request that the server refused, or that was never sent.
NOT_BILLED = Cost(Decimal(0), "not billed")


def amount(value: Any) -> Decimal | None:
    """Return an amount of USD, given as a number or a numeric string, as an exact Decimal.

    Return None if it is absent, not finite, negative or absurdly large or small.
    """
    number = finite_number(value)
    if number is None or (number.is_signed() and number) or number > _ABSURD:
        return None
    return None if number and number.adjusted() < _SMALLEST else number


@dataclass(frozen=True)
class Price:
    """The price of a model: USD for each token, and USD for each `request` beside them.

    A field is None if the endpoint does not say it. `cache_read` is the price of a prompt token
    that was in the provider's cache, `cache_write` of one that was put there.
    """

    prompt: Decimal | None = None
    completion: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    request: Decimal | None = None

    @classmethod
    def of(cls, pricing: Any) -> "Price":
        """Return the price that the `pricing` object of a list of models says.

        Cline and OpenRouter use the same keys, with numbers as strings. Anything but an object
        gives a price of which nothing is known.
        """
        table = pricing if isinstance(pricing, dict) else {}
        return cls(
            prompt=amount(table.get("prompt")),
            completion=amount(table.get("completion")),
            cache_read=amount(table.get("input_cache_read")),
            cache_write=amount(table.get("input_cache_write")),
            request=amount(table.get("request")),
        )

    def part(self, share: Decimal) -> "Price":
        """Return the price of which each amount is a `share`, such as 0.5 for half of it."""
        amounts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Price(**{n: None if usd is None else usd * share for n, usd in amounts.items()})

    def times(self, prompt: int, completion: int, cached: int = 0, written: int = 0) -> Cost:
        """Return the cost of a request of `prompt` and `completion` tokens, marked as estimated.

        `cached` tokens of the prompt were read from the cache and `written` ones were put there;
        both are included in `prompt`. Return UNKNOWN unless the price of a prompt token and that
        of a completion token are known.
        """
        if self.prompt is None or self.completion is None:
            return UNKNOWN
        # Some servers leave the cached tokens out of the prompt: no cost must become negative.
        cached = min(cached, prompt)
        written = min(written, prompt - cached)
        read = self.prompt if self.cache_read is None else self.cache_read
        write = self.prompt if self.cache_write is None else self.cache_write
        usd = (prompt - cached - written) * self.prompt + cached * read + written * write
        usd += completion * self.completion + (self.request or 0)
        return UNKNOWN if usd > _ABSURD else Cost(usd, ESTIMATED)


def cost(
    usage: Usage | None, price: Price | None = None, beside: Any = None, header: str | None = None
) -> Cost:
    """Return the cost that the server says in `usage`, in a `cost` object `beside` it, as Venice
    does, or in the `header` x-litellm-response-cost of LiteLLM.

    If the server says none, return its tokens at `price`, marked as estimated; UNKNOWN if it says
    no tokens either, or if there is no price.
    """
    stated = _stated_cost(usage or {})
    for told, source in ((_usd_in(beside), "cost"), (header, COST_HEADER)):
        if stated.usd is None and (usd := amount(told)) is not None:
            stated = Cost(usd, source)
    if stated.usd is not None or not usage or price is None:
        return stated
    counts = Tokens.of(usage)
    if counts.prompt is None or counts.completion is None:
        return UNKNOWN
    return price.times(counts.prompt, counts.completion, counts.cached or 0, counts.written or 0)


def _stated_cost(usage: Usage) -> Cost:
    """Return the cost in `cost`, `cost_details.upstream_inference_cost` and `market_cost`.

    With a key of the user's own at the upstream provider (`is_byok`), `cost` is often 0 and the
    amount stands in the upstream cost, so the two are added. Without such a key they must not be
    added, as many replies say the same amount in both.
    """
    own = amount(_usd_in(usage.get("cost")))
    upstream = amount(inner(usage, "cost_details").get("upstream_inference_cost"))
    billed: Cost
    if usage.get("is_byok") is True and own is not None and upstream is not None:
        billed = Cost(own + upstream, "cost+upstream")
    elif own is not None and own > 0:
        billed = Cost(own, "cost")
    elif upstream:
        billed = Cost(upstream, "upstream")
    elif own is not None:
        billed = Cost(own, "cost")
    else:
        billed = Cost(upstream, None if upstream is None else "upstream")
    ticks = finite_number(usage.get("cost_in_usd_ticks"))
    if billed.usd is None and ticks is not None and amount(ticks / _TICKS) is not None:
        return Cost(ticks / _TICKS, "cost_in_usd_ticks")
    market = amount(usage.get("market_cost"))
    if not billed.usd and market is not None:
        return Cost(market, "market")
    return billed


def _usd_in(value: Any) -> Any:
    """Return the amount in a `cost`, which is an object at Perplexity and Charm."""
    if not isinstance(value, dict):
        return value
    return value.get("total_cost", value.get("usd"))


def invalid_amounts(usage: Usage | None) -> list[str]:
    """Return a warning for each cost in `usage` that is not a valid amount of USD.

    Such a cost counts as unknown.
    """
    usage = usage or {}
    stated = {
        "cost": _usd_in(usage.get("cost")),
        "upstream_inference_cost": inner(usage, "cost_details").get("upstream_inference_cost"),
        "market_cost": usage.get("market_cost"),
    }
    return [
        f"the server's {name} {one_line(str(value), 40)} is not a valid amount"
        for name, value in stated.items()
        if value is not None and amount(value) is None
    ]


def dollars(usd: Decimal) -> str:
    """Return `usd` for people, such as `$1.50` or `$0.0046`.

    It has at least two decimals, and as many more as two digits of a small amount need.
    """
    if not usd:
        return "$0"
    digits = min(max(2, 1 - usd.adjusted()), _MOST_DIGITS)
    return f"${usd:.{digits}f}"

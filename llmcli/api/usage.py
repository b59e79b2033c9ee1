"""What a reply cost, out of the usage that the server sent."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from llmcli.api.types import Usage
from llmcli.system.dataclass import dataclass
from llmcli.system.text import one_line

# More than this for one reply is a server's mistake, not a price.
_ABSURD = Decimal(1_000_000)
# And less than a digit at this power of ten.
_SMALLEST = -20
_LARGEST = 10**15
_MOST_DIGITS = 12
_MOST_TOKENS = 10**10


@dataclass(frozen=True)
class Cost:
    """USD, or None where it is not known (never 0 for unknown), and where the figure comes from."""

    usd: Decimal | None = None
    source: str | None = None


UNKNOWN = Cost()
LOCAL = Cost(Decimal(0), "local")
ESTIMATED = "estimated"
# Refused, or never sent.
NOT_BILLED = Cost(Decimal(0), "not billed")


def amount(value: Any) -> Decimal | None:
    """A number or numeric string as an exact Decimal; None if absent, not finite or negative."""
    number = _finite(value)
    if number is None or (number.is_signed() and number) or number > _ABSURD:
        return None
    return None if number and number.adjusted() < _SMALLEST else number


def _finite(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def tokens(value: Any) -> int | None:
    """A token count, which some servers send as a string; None if it is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= -_SMALLEST:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= _MOST_TOKENS and value == value // 1 else None


@dataclass(frozen=True)
class Price:
    """USD for each token, and for each request; what a catalogue does not say is None."""

    prompt: Decimal | None = None
    completion: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    request: Decimal | None = None

    @classmethod
    def of(cls, pricing: Any) -> "Price":
        """From the `pricing` of a catalogue, whose numbers are strings."""
        found = pricing if isinstance(pricing, dict) else {}
        return cls(
            prompt=amount(found.get("prompt")),
            completion=amount(found.get("completion")),
            cache_read=amount(found.get("input_cache_read")),
            cache_write=amount(found.get("input_cache_write")),
            request=amount(found.get("request")),
        )

    def times(self, prompt: int, completion: int, cached: int = 0, written: int = 0) -> Cost:
        """`prompt` includes the tokens `cached` and `written`. UNKNOWN without both prices."""
        if self.prompt is None or self.completion is None:
            return UNKNOWN
        cached = min(cached, prompt)
        written = min(written, prompt - cached)
        read = self.prompt if self.cache_read is None else self.cache_read
        write = self.prompt if self.cache_write is None else self.cache_write
        usd = (prompt - cached - written) * self.prompt + cached * read + written * write
        usd += completion * self.completion + (self.request or 0)
        return UNKNOWN if usd > _ABSURD else Cost(usd, ESTIMATED)


def cost(usage: Usage | None, price: Price | None = None) -> Cost:
    """What the server says; if it says nothing, its tokens at `price`, marked as estimated."""
    said = _said(usage or {})
    if said.usd is not None or not usage or price is None:
        return said
    counts = Tokens.of(usage)
    if counts.prompt is None or counts.completion is None:
        return UNKNOWN
    return price.times(counts.prompt, counts.completion, counts.cached or 0, counts.written or 0)


@dataclass(frozen=True)
class Tokens:
    """The counts of a usage object; None where it does not say."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    written: int | None = None

    @classmethod
    def of(cls, usage: Usage | None) -> "Tokens":
        usage = usage or {}
        prompt, completion = (_inner(usage, f"{kind}_tokens_details") for kind in _KINDS)
        return cls(
            prompt=tokens(usage.get("prompt_tokens")),
            completion=tokens(usage.get("completion_tokens")),
            cached=_first(prompt.get("cached_tokens"), usage.get("cache_read_input_tokens")),
            reasoning=tokens(completion.get("reasoning_tokens")),
            written=_first(
                prompt.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")
            ),
        )


_KINDS = ("prompt", "completion")


def _inner(usage: Usage, key: str) -> dict[str, Any]:
    value = usage.get(key)
    return value if isinstance(value, dict) else {}


def _first(*values: Any) -> int | None:
    return next((count for value in values if (count := tokens(value)) is not None), None)


def _said(usage: Usage) -> Cost:
    """The rule for the fields `cost`, `cost_details.upstream_inference_cost` and `market_cost`.

    `cost` alone is 0 where the caller brings an own key (is_byok) and the amount stands elsewhere;
    always adding the two is wrong as well, since many replies repeat the amount.
    """
    own = amount(usage.get("cost"))
    upstream = amount(_inner(usage, "cost_details").get("upstream_inference_cost"))
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
    market = amount(usage.get("market_cost"))
    if not billed.usd and market is not None:
        return Cost(market, "market")
    return billed


def flaws(usage: Usage | None) -> list[str]:
    """The amounts in it that are none, in words: they count as unknown."""
    usage = usage or {}
    said = {
        "cost": usage.get("cost"),
        "upstream_inference_cost": _inner(usage, "cost_details").get("upstream_inference_cost"),
        "market_cost": usage.get("market_cost"),
    }
    return [
        f"the server's {name} {one_line(str(value), 40)} is no amount"
        for name, value in said.items()
        if value is not None and amount(value) is None
    ]


def total(usages: Sequence[Usage]) -> Usage | None:
    """The sum, number by number; a single one stays as the server sent it."""
    if len(usages) < 2:
        return usages[0] if usages else None
    sums: Usage = {}
    for usage in usages:
        for key, value in usage.items():
            sums[key] = _added(sums.get(key), value)
    return sums


def _added(before: Any, value: Any) -> Any:
    if isinstance(before, dict) and isinstance(value, dict):
        return total([before, value])
    one, other = _finite(before), _finite(value)
    if one is None or other is None:
        return before if value is None else value
    both = one + other
    whole = abs(both) < _LARGEST and both == both.to_integral_value()
    return int(both) if whole else float(both)


def dollars(usd: Decimal) -> str:
    """At least cents, at most what is needed to show two digits of a small amount."""
    if not usd:
        return "$0"
    digits = min(max(2, 1 - usd.adjusted()), _MOST_DIGITS)
    return f"${usd:.{digits}f}"

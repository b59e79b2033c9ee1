"""What a reply cost, out of the usage that the server sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from .schema import Usage

# More than this for one reply is a server's mistake, not a price.
_ABSURD = Decimal(1_000_000)
# And less than a digit at this power of ten.
_SMALLEST = -20
_LARGEST = 10**15


@dataclass(frozen=True)
class Cost:
    """USD, or None where it is not known (never 0 for unknown), and where the figure comes from."""

    usd: Decimal | None = None
    source: str | None = None


UNKNOWN = Cost()
LOCAL = Cost(Decimal(0), "local")


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
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value >= 0 and value == value // 1 else None


def cost(usage: Usage | None) -> Cost:
    """The rule for the fields `cost`, `cost_details.upstream_inference_cost` and `market_cost`.

    `cost` alone is 0 where the caller brings an own key (is_byok) and the amount stands elsewhere;
    always adding the two is wrong as well, since many replies repeat the amount.
    """
    if not usage:
        return UNKNOWN
    own = amount(usage.get("cost"))
    details = usage.get("cost_details")
    upstream = amount(details.get("upstream_inference_cost")) if isinstance(details, dict) else None
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

"""Tokens: what the usage object of a reply counts, and the sum of several such objects."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from llmcli.api.types import Usage
from llmcli.system.dataclass import dataclass

# Larger sums of a usage are floats in JSON, as 2**53 is the end of the integers that others read.
_LARGEST = 10**15
_MOST_TOKENS = 10**10
_MOST_TOKEN_DIGITS = 20


def tokens(value: Any) -> int | None:
    """Return a count of tokens, given as a number or a string of digits, as an int.

    Return None if it is absent, negative, not whole or absurdly large.
    """
    if value is None:
        return None
    # Bounded before it is converted, as int() refuses thousands of digits with an error.
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MOST_TOKEN_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= _MOST_TOKENS and value == value // 1 else None


@dataclass(frozen=True)
class Tokens:
    """The counts of tokens in a usage object; each is None if the object does not say it.

    `prompt` includes `cached` and `written`: the tokens that were read from the provider's cache,
    and those that were put there. `completion` includes `reasoning`.
    """

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    written: int | None = None

    @classmethod
    def of(cls, usage: Usage | None) -> "Tokens":
        """Return the counts in `usage`, by the names that OpenAI and others use."""
        usage = usage or {}
        prompt, completion = (
            inner(usage, f"{kind}_tokens_details") or inner(usage, f"{other}_tokens_details")
            for kind, other in _KINDS
        )
        return cls(
            prompt=_prompt(usage),
            completion=_first(usage.get("completion_tokens"), usage.get("output_tokens")),
            cached=_first(
                prompt.get("cached_tokens"),
                usage.get("cache_read_input_tokens"),  # Anthropic
                usage.get("prompt_cache_hit_tokens"),  # DeepSeek
                usage.get("cached_tokens"),  # Moonshot
            ),
            reasoning=tokens(completion.get("reasoning_tokens")),
            written=_first(
                prompt.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")
            ),
        )


_KINDS = (("prompt", "input"), ("completion", "output"))
# Anthropic's counts of tokens that were read from its cache, and that were put there.
_OF_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")


def _prompt(usage: Usage) -> int | None:
    """Return the tokens of the prompt, with those of the cache.

    Anthropic's own form counts them apart: the prompt is the sum of `input_tokens` and the two of
    the cache (https://platform.claude.com/docs/en/build-with-claude/prompt-caching). A
    `prompt_tokens` beside them has them in it, as LiteLLM and OpenRouter count, unless they are
    more than it or the total counts them apart. Anthropic's compatible endpoint tells no counts of
    the cache at all.
    """
    apart = sum(tokens(usage.get(name)) or 0 for name in _OF_CACHE)
    prompt = tokens(usage.get("prompt_tokens"))
    if prompt is not None:
        completion = tokens(usage.get("completion_tokens")) or 0
        counted_apart = tokens(usage.get("total_tokens")) == prompt + completion + apart
        return prompt + apart if apart > prompt or counted_apart else prompt
    prompt = tokens(usage.get("input_tokens"))
    return None if prompt is None else prompt + apart


def inner(usage: Usage, key: str) -> dict[str, Any]:
    """Return the object that stands in `usage` under `key`; an empty one if there is none."""
    value = usage.get(key)
    return value if isinstance(value, dict) else {}


def _first(*values: Any) -> int | None:
    for value in values:
        if (count := tokens(value)) is not None:
            return count
    return None


def total(usages: Sequence[Usage]) -> Usage | None:
    """Return the sum of `usages`, number by number, in nested objects as well.

    Of values that are not numbers the last one stands. A single usage is returned as the server
    sent it. Return None if there are none.
    """
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
    earlier, later = finite_number(before), finite_number(value)
    if earlier is None or later is None:
        return before if value is None else value
    both = earlier + later
    whole = abs(both) < _LARGEST and both == both.to_integral_value()
    return int(both) if whole else float(both)


def finite_number(value: Any) -> Decimal | None:
    """Return a number, or a string that says one, as an exact Decimal; None if it is not finite."""
    # True and False are ints in Python, but not amounts.
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None

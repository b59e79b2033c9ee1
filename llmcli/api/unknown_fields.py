"""The fields of a reply that llmcli does not know, which the JSON output passes on."""

import math
from typing import Any

Extra = dict[str, Any]

# The known fields of a reply, of a choice and of a message: these are read elsewhere, and do not
# pass through as they are.
OF_REPLY = frozenset(
    ("id", "object", "created", "model", "choices", "usage", "error", "data", "success", "llmcli")
)
OF_CHOICE = frozenset(("index", "delta", "message", "finish_reason", "error", "usage"))
OF_MESSAGE = frozenset(
    (
        *("role", "content", "refusal", "tool_calls", "function_call", "audio"),
        *("reasoning", "reasoning_content", "reasoning_details"),
    )
)


def keep(into: Extra, piece: dict[str, Any], known: frozenset[str]) -> None:
    """Add to `into` the fields of `piece` that are not `known`.

    Of a field that comes again, lists are joined and objects are merged; of anything else the last
    value stands.
    """
    for key, value in piece.items():
        if key not in known and value is not None:
            _merge(into, key, value)


def _merge(into: Extra, key: str, value: Any) -> None:
    # Lists and objects are copied, lest a later piece changes the chunk that an earlier one is of.
    before = into.get(key)
    if isinstance(before, list) and isinstance(value, list):
        before.extend(value)
    elif isinstance(before, dict) and isinstance(value, dict):
        for inner, item in value.items():
            _merge(before, inner, item)
    elif isinstance(value, dict):
        into[key] = {}
        for inner, item in value.items():
            _merge(into[key], inner, item)
    else:
        into[key] = list(value) if isinstance(value, list) else value


def finite(value: Any) -> Any:
    """Return a copy of `value` with None in the place of each number that JSON cannot carry.

    A number too large for a float is read as infinity, which RFC 8259 does not allow.
    """
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

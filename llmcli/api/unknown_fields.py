"""Fields of a reply that nothing here reads, kept for who asked for them."""

import math
from typing import Any

Extra = dict[str, Any]

# What is read elsewhere, and does not pass through as it is.
OF_REPLY = frozenset(
    ("id", "object", "created", "model", "choices", "usage", "error", "data", "success", "llmcli")
)
OF_CHOICE = frozenset(("index", "delta", "message", "finish_reason", "error", "usage"))
OF_MESSAGE = frozenset(
    (
        *("role", "content", "refusal", "tool_calls", "function_call"),
        *("reasoning", "reasoning_content", "reasoning_details"),
    )
)


def keep(into: Extra, found: dict[str, Any], known: frozenset[str]) -> None:
    """Add the unknown fields of a piece: lists are joined, of all else the last wins."""
    for key, value in found.items():
        if key not in known and value is not None:
            _merge(into, key, value)


def _merge(into: Extra, key: str, value: Any) -> None:
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
    """Without the numbers that JSON cannot carry: what was too large for a float is null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

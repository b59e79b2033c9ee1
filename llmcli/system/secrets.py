"""The secrets of a run, masked wherever text leaves it."""

from collections.abc import Callable, Iterable
from typing import Any

# In characters. A key that somebody made up for a test server may be a word such as "x" or "none",
# whose removal would spoil every message.
_SHORTEST = 8
_NONE: frozenset[str] = frozenset()


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with `[redacted]` in the place of each of `secrets`.

    A server may echo the key in its error message. Secrets of fewer than 8 characters stay.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "[redacted]")
    return text


def redacted(value: Any, redact: Callable[[str], str], spared: frozenset[str] = _NONE) -> Any:
    """Return a copy of the JSON `value` whose texts `redact` has masked, names of fields included.

    What stands in a field of `spared` stays as it is, and so does a text that is too short for a
    secret.
    """
    if isinstance(value, str):
        return redact(value) if len(value) >= _SHORTEST else value
    if isinstance(value, dict):
        return {
            redacted(name, redact): item if name in spared else redacted(item, redact, spared)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [redacted(item, redact, spared) for item in value]
    return value

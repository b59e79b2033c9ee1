"""The secrets of a run, masked wherever text leaves it."""

from collections.abc import Iterable

# In characters. A key that somebody made up for a test server may be a word such as "x" or "none",
# whose removal would spoil every message.
_SHORTEST = 8


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with `[redacted]` in the place of each of `secrets`.

    A server may echo the key in its error message. Secrets of fewer than 8 characters stay.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "[redacted]")
    return text

"""Suggestions for a mistyped name."""

from collections.abc import Iterable

_MOST_BEGUN = 3


def near_names(name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> list[str]:
    """Return up to `most` of the `known` names that `name` may mean, the most likely first.

    If some begin with `name`, these are returned, three at most. Else it is those that resemble it:
    `likeness` is the least similarity, from 0 to 1, as difflib.SequenceMatcher.ratio reckons it.
    """
    from difflib import get_close_matches  # noqa: PLC0415  # loaded only for a mistyped name

    known = list(known)
    # Two letters or dashes begin too many names.
    begun = sorted((one for one in known if one.startswith(name)), key=len) if name[2:] else []
    return begun[:_MOST_BEGUN] or get_close_matches(name, known, most, likeness)


def nearest_first(name: str, known: Iterable[str]) -> list[str]:
    """Return the `known` names, those that resemble `name` most in front."""
    from difflib import SequenceMatcher  # noqa: PLC0415  # loaded only for a mistyped name

    return sorted(known, key=lambda one: -SequenceMatcher(None, name, one).ratio())


def did_you_mean(
    name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6
) -> str | None:
    """Return the hint "did you mean …?" with the names near to `name`; None if there are none.

    The parameters are those of `near_names`.
    """
    near = near_names(name, known, most, likeness)
    return f"did you mean {' or '.join(near)}?" if near else None


def one_step_apart(word: str, known: Iterable[str]) -> str:
    """Return the first of the `known` names that is one typing error from `word`, or "".

    The error is one letter more, less or other, or two neighbours swapped.
    """
    return next((name for name in known if name != word and _is_one_step(word, name)), "")


def _is_one_step(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    if len(a) == len(b):
        swapped = rest_a[1::-1] + rest_a[2:] if len(rest_a) > 1 else rest_a
        return rest_a[1:] == rest_b[1:] or swapped == rest_b
    return rest_a[1:] == rest_b or rest_a == rest_b[1:]

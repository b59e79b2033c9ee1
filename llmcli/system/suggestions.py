"""Suggestions for a mistyped name."""

from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> list[str]:
    """Return up to `most` of the `known` names that resemble `name`, the most similar first.

    `likeness` is the least similarity, from 0 to 1, as difflib.SequenceMatcher.ratio reckons it.
    """
    from difflib import get_close_matches  # noqa: PLC0415  # loaded only for a mistyped name

    return get_close_matches(name, list(known), most, likeness)


def did_you_mean(
    name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6
) -> str | None:
    """Return the hint "did you mean …?" with the names near to `name`; None if there are none.

    The parameters are those of `near_names`.
    """
    near = near_names(name, known, most, likeness)
    return f"did you mean {' or '.join(near)}?" if near else None

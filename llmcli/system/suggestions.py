"""What a mistyped name may have meant."""

from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> list[str]:
    """Return up to `most` of the `known` names that are like `name`, the likest first. `likeness`
    is the least share of what is the same, from 0 to 1."""
    from difflib import get_close_matches  # only where something was mistyped

    return get_close_matches(name, list(known), most, likeness)


def did_you_mean(
    name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6
) -> str | None:
    """Return the question for a message; None where nothing is near."""
    near = near_names(name, known, most, likeness)
    return f"did you mean {' or '.join(near)}?" if near else None

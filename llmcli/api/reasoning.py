"""`reasoning_details`: the structured form of a model's thinking, to be passed back as it came."""

from typing import Any

Detail = dict[str, Any]


def text_of(details: list[Any]) -> str:
    """What can be read of the details; encrypted ones have no text."""
    return "".join(
        value
        for detail in details
        if isinstance(detail, dict)
        for value in (detail.get("text"), detail.get("summary"))
        if isinstance(value, str)
    )


def _place(position: int, detail: Detail) -> str:
    """What belongs together: the same index and type. Without an index it is the same position
    in a chunk, and the same id as well; `data` comes whole."""
    index, kind = detail.get("index"), detail.get("type")
    known = isinstance(index, (int, str))
    return repr((index, kind) if known else (position, kind, detail.get("id"), detail.get("data")))


def consolidate(details: list[tuple[int, Any]]) -> list[Detail]:
    """One entry for each `index` and type: text and summary joined, the last of every other key.
    Each detail comes with its position in a chunk, or in the whole message.

    An encrypted entry without `data` is dropped, as the API refuses it.
    """
    groups: dict[Any, Detail] = {}
    for position, detail in details:
        if not isinstance(detail, dict):
            continue
        group = groups.setdefault(_place(position, detail), {})
        for key, value in detail.items():
            if key in ("text", "summary") and isinstance(value, str):
                before = group.get(key)
                group[key] = (before if isinstance(before, str) else "") + value
            elif value is not None or key not in group:
                group[key] = value
    return [d for d in groups.values() if d.get("type") != "reasoning.encrypted" or d.get("data")]

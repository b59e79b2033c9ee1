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


def _place(detail: Detail) -> str:
    """What belongs together: the same index and type; without an index the same id as well."""
    index = detail.get("index")
    known = isinstance(index, (int, str))
    return repr((index, detail.get("type")) if known else (detail.get("type"), detail.get("id")))


def consolidate(details: list[Any]) -> list[Detail]:
    """One entry for each `index` and type: text and summary joined, the last of every other key.

    An encrypted entry without `data` is dropped, as the API refuses it.
    """
    groups: dict[Any, Detail] = {}
    for detail in details:
        if not isinstance(detail, dict):
            continue
        group = groups.setdefault(_place(detail), {})
        for key, value in detail.items():
            if key in ("text", "summary") and isinstance(value, str):
                before = group.get(key)
                group[key] = (before if isinstance(before, str) else "") + value
            elif value is not None or key not in group:
                group[key] = value
    return [d for d in groups.values() if d.get("type") != "reasoning.encrypted" or d.get("data")]

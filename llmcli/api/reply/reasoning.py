"""`reasoning_details`, the structured form of a model's thinking, as OpenRouter defined it.

The next request passes it back unchanged, as some providers check its signature.
"""

from typing import Any

Detail = dict[str, Any]


def text_of(details: list[Any]) -> str:
    """Return the text and summaries in `details`; an encrypted detail has none."""
    return "".join(
        value
        for detail in details
        if isinstance(detail, dict)
        for value in (detail.get("text"), detail.get("summary"))
        if isinstance(value, str)
    )


def text_in(delta: dict[str, Any]) -> str:
    """Return the readable thinking in `delta`, "" if there is none.

    Servers send the same text under up to three names at once, so only the first is read.
    """
    for key in ("reasoning", "reasoning_content"):
        if isinstance(delta.get(key), str) and delta[key]:
            return str(delta[key])
    details = delta.get("reasoning_details")
    return text_of(details) if isinstance(details, list) else ""


def _group_of(position: int, detail: Detail) -> str:
    """Return a key that is the same for two details if they are parts of one entry.

    Parts of one entry have the same index and type. Without an index they have the same position
    in their chunks and the same type, id and `data`, as `data` never comes in parts.
    """
    index, kind = detail.get("index"), detail.get("type")
    known = isinstance(index, (int, str))
    # As text, since what a server puts into these fields may not be hashable.
    return repr((index, kind) if known else (position, kind, detail.get("id"), detail.get("data")))


def consolidate(details: list[tuple[int, Any]]) -> list[Detail]:
    """Return one entry for each `index` and type of `details`, which come with their positions.

    A position is the place of the detail in the list of its chunk. `text` and `summary` are
    joined; of any other key the last value that is not null stands. An encrypted entry without
    `data` is dropped, as the API refuses it.
    """
    groups: dict[Any, Detail] = {}
    for position, detail in details:
        if not isinstance(detail, dict):
            continue
        group = groups.setdefault(_group_of(position, detail), {})
        for key, value in detail.items():
            if key in ("text", "summary") and isinstance(value, str):
                before = group.get(key)
                group[key] = (before if isinstance(before, str) else "") + value
            elif value is not None or key not in group:
                group[key] = value
    return [d for d in groups.values() if d.get("type") != "reasoning.encrypted" or d.get("data")]

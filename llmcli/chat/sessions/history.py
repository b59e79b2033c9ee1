"""A session as a conversation: which of its turns are sent, and in which order."""

from collections.abc import Sequence
from pathlib import Path

from llmcli.api import messages
from llmcli.api.types import Message
from llmcli.system.dataclass import dataclass
from llmcli.system.jsonl import Record


@dataclass(frozen=True)
class Session:
    """`name` as the user says it, `turns` as far as they had ended when it was read."""

    name: str
    path: Path
    turns: Sequence[Record]

    def messages(self, answering: Sequence[str] = ()) -> list[Message]:
        """What to send: the system message first, whole turns only.

        `answering`: ids of tool calls; nothing that came after their turn is in it.
        """
        system: Message | None = None
        found: list[Message] = []
        for turn in _in_order(self.turns, answering):
            own: list[Message] = turn["messages"]
            if own and messages.is_system(own[0]):
                system, own = own[0], own[1:]
            found += own
        return [system, *found] if system else found

    def last(self, key: str) -> str | None:
        """What the last turn says of its `model` or `endpoint`."""
        value = self.turns[-1].get(key) if self.turns else None
        return value if isinstance(value, str) else None


def _in_order(turns: Sequence[Record], answering: Sequence[str]) -> list[Record]:
    """Whole turns, with the results of tool calls right behind the turn that called.

    Runs at the same time append in the order of their ends. A second answer to the same call is
    left out, as no endpoint takes one.
    """
    ordered: list[Record] = []
    for turn in turns:
        if turn.get("incomplete"):
            continue
        ids = _results(turn["messages"])
        if not ids:
            ordered.append(turn)
        elif (place := _caller(ordered, ids)) is not None:
            ordered.insert(place + 1, turn)
    place = _caller(ordered, answering) if answering else None
    return ordered if place is None else ordered[: place + 1]


def _results(own: Sequence[Message]) -> list[str]:
    """The ids of the calls that a turn begins by answering."""
    first = 1 if own and messages.is_system(own[0]) else 0
    begins = own[first : first + 1]
    if not begins or begins[0].get("role") != "tool":
        return []
    return [m.get("tool_call_id", "") for m in own if m.get("role") == "tool"]


def _caller(turns: Sequence[Record], ids: Sequence[str]) -> int | None:
    """The last turn whose calls are these, and open."""
    for place in reversed(range(len(turns))):
        called = {call.get("id", "") for call in messages.open_calls(turns[place]["messages"])}
        answered = set(_results(turns[place + 1]["messages"])) if place + 1 < len(turns) else set()
        if called & set(ids) and not called & answered:
            return place
    return None

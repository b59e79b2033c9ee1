"""A session in memory: which of its turns are sent again, and in which order."""

from collections.abc import Sequence
from pathlib import Path

from llmcli.api import messages
from llmcli.api.types import Message
from llmcli.system.dataclass import dataclass
from llmcli.system.files.records import Record


@dataclass(frozen=True)
class Session:
    """A conversation that was read from disk.

    `name` is what the user called it by, which may be a path; `path` is its file. `turns` are the
    records of `store`, of those turns that had ended when the file was read.
    """

    name: str
    path: Path
    turns: Sequence[Record]

    def messages(self, answering: Sequence[str] = ()) -> list[Message]:
        """Return the messages to send again: the last system message, then those of whole turns.

        `answering` are ids of tool calls that the next turn answers. The messages then end with the
        turn that made those calls, and what other runs added later is left out.
        """
        system: Message | None = None
        conversation: list[Message] = []
        for turn in _in_order(self.turns, answering):
            own: list[Message] = turn["messages"]
            if own and messages.is_system(own[0]):
                system, own = own[0], own[1:]
            conversation += own
        return [system, *conversation] if system else conversation

    def last(self, key: str) -> str | None:
        """Return the text at `key` of the last turn, such as its `model`, or None."""
        value = self.turns[-1].get(key) if self.turns else None
        return value if isinstance(value, str) else None


def _in_order(turns: Sequence[Record], answering: Sequence[str]) -> list[Record]:
    """Return the complete turns, each that answers tool calls right behind the one that made them.

    Runs at the same time append their turns in the order in which they end, so that others may
    stand between the two. A second answer to the same calls is left out, since endpoints refuse it.
    """
    ordered: list[Record] = []
    for turn in turns:
        if turn.get("incomplete"):
            continue
        ids = _answered_ids(turn["messages"])
        if not ids:
            ordered.append(turn)
        elif (place := _caller(ordered, ids)) is not None:
            ordered.insert(place + 1, turn)
    place = _caller(ordered, answering) if answering else None
    return ordered if place is None else ordered[: place + 1]


def _answered_ids(own: Sequence[Message]) -> list[str]:
    """Return the ids of the tool calls that a turn answers; none if it begins otherwise."""
    first = 1 if own and messages.is_system(own[0]) else 0
    begins = own[first : first + 1]
    if not begins or begins[0].get("role") != "tool":
        return []
    return [m.get("tool_call_id", "") for m in own if m.get("role") == "tool"]


def _caller(turns: Sequence[Record], ids: Sequence[str]) -> int | None:
    """Return the index of the last turn that called one of `ids`, if none has a result yet."""
    for place in reversed(range(len(turns))):
        called = {call.get("id", "") for call in messages.open_calls(turns[place]["messages"])}
        following = turns[place + 1]["messages"] if place + 1 < len(turns) else []
        answered = set(_answered_ids(following))
        if called & set(ids) and not called & answered:
            return place
    return None

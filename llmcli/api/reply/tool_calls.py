"""Tool calls: put together from the pieces that servers send, and checked before they are run."""

import json
from collections.abc import Sequence
from typing import Any, cast

from llmcli.api import strict_json, unknown_fields
from llmcli.api.types import ToolCall
from llmcli.errors import ToolError

# The characters of a reply's id that go into a made-up id: some endpoints refuse ids of over 40.
_LONGEST = 24


def pieces_in(delta: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pieces of tool calls in `delta`, a delta or a whole message."""
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        return [call for call in calls if isinstance(call, dict) and not _is_empty(call)]
    function = delta.get("function_call")  # OpenAI's form of before November 2023
    # Snowflake sends one with empty strings beside a text.
    if isinstance(function, dict) and any(function.values()):
        return [{"index": 0, "function": function}]
    return []


def _is_empty(call: dict[str, Any]) -> bool:
    """Return whether a piece says nothing: no id, no name, no arguments, no other form of call."""
    function = call.get("function")
    said = [value for name, value in call.items() if name not in ("index", "type", "function")]
    return not any(said) and not (isinstance(function, dict) and any(function.values()))


class ToolCalls:
    """The tool calls of one answer, put together from pieces.

    The rules follow what servers really send. A new id opens a new call, and so does a name that
    comes after a call whose arguments are complete. A piece without an id belongs to the call of
    its index, one without either to the last call. The first name of a call stands. Unknown keys
    are kept.
    """

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []

    def add(self, pieces: list[dict[str, Any]], *, whole: bool = False) -> None:
        """Add the pieces of one chunk. With `whole`, each piece is a call of its own."""
        taken: list[ToolCall] = []
        for position, piece in enumerate(pieces):
            calls = [c for c in self._calls if not (_is_in(taken, c) or _begins_another(piece, c))]
            call = _find(calls, piece, position, alone=len(pieces) == 1)
            if call is None:
                call = self._open(piece, position)
            taken += [call] if whole else []
            self._merge(call, piece)

    def calls(self) -> list[ToolCall]:
        """Return the calls so far as an assistant message has them, in order of their first piece.

        The arguments of a call may lack their end if the answer has not ended.
        """
        return [cast(ToolCall, {k: v for k, v in c.items() if k != "index"}) for c in self._calls]

    def _open(self, piece: dict[str, Any], position: int) -> ToolCall:
        call = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        if (index := _index(piece, position)) is not None:
            call["index"] = index
        self._calls.append(cast(ToolCall, call))
        return self._calls[-1]

    @staticmethod
    def _merge(call: ToolCall, piece: dict[str, Any]) -> None:
        for key, value in piece.items():
            if key not in ("index", "id", "function") and value is not None:
                call[key] = value  # type: ignore[literal-required]  # unknown keys ride along
        call["id"] = call["id"] or _text(piece.get("id"))
        function = piece.get("function")
        if not isinstance(function, dict):
            return
        name, arguments = function.get("name"), function.get("arguments")
        if isinstance(name, str):
            call["function"]["name"] = call["function"]["name"] or name
        if isinstance(arguments, str):
            call["function"]["arguments"] += arguments
        elif arguments is not None:
            text = json.dumps(unknown_fields.finite(arguments), ensure_ascii=False)
            call["function"]["arguments"] = text


def _is_in(calls: Sequence[ToolCall], call: ToolCall) -> bool:
    # By identity: two calls can be equal, as some servers give them neither ids nor arguments.
    return any(other is call for other in calls)


def _find(
    calls: Sequence[ToolCall], piece: dict[str, Any], position: int, *, alone: bool
) -> ToolCall | None:
    """Return the one of `calls` that `piece` belongs to; None if it opens a new call.

    `position` is the place of the piece in its chunk, `alone` says that it is the only one there.
    """
    identity = _text(piece.get("id"))
    last = calls[-1] if calls else None
    if last and alone and not identity and piece.get("index") is None:
        return last
    index = _index(piece, position)
    if last and index is not None and last.get("index") == index and not _name(piece):
        return last  # whatever its id: some servers give each piece an id of its own
    for call in reversed(calls):
        same_index = index is None or call.get("index") == index
        if same_index and (not identity or call["id"] in ("", identity)):
            return call
    return None


def _index(piece: dict[str, Any], position: int) -> Any:
    """Return the index of `piece`; its position in the chunk if it has neither index nor id."""
    index = piece.get("index")
    return position if index is None and not _text(piece.get("id")) else index


def _begins_another(piece: dict[str, Any], call: ToolCall) -> bool:
    """Return whether the name in `piece` shows that it opens another call than `call`.

    Some servers give all calls of a turn index 0 and no id, and only names tell them apart. A name
    opens another call if `call` has its arguments complete, or none yet, and the name differs; the
    same name does so only together with the beginning of an object, as some servers repeat the
    name with each piece.
    """
    name, known, so_far = _name(piece), call["function"]["name"], call["function"]["arguments"]
    identity = _text(piece.get("id"))
    if not name or not known or (identity and identity == call["id"]):
        return False
    if so_far and not (so_far.rstrip().endswith("}") and arguments_of(call) is not None):
        return False
    more = piece["function"].get("arguments")
    return name != known or bool(so_far and more and str(more).lstrip().startswith("{"))


def _name(piece: dict[str, Any]) -> str:
    function = piece.get("function")
    return _text(function.get("name")) if isinstance(function, dict) else ""


def _text(value: Any) -> str:
    """Return an id or a name as a string; "" if it is missing or not a string or number."""
    return "" if value is None or isinstance(value, (dict, list, bool)) else str(value)


def passed_back(calls: list[ToolCall], reply: Any = None) -> list[ToolCall]:
    """Return `calls` as the next request has them: with ids that differ, and with arguments.

    A tool's result refers to its call by the id, but some servers leave ids out or give one id to
    all calls: missing and repeated ids are replaced. `reply` is the id of the reply; it becomes
    part of such an id, as other runs may add to the same conversation. Empty arguments become
    `{}`.
    """
    seen: set[str] = set()
    complete: list[ToolCall] = []
    prefix = f"call_{str(reply)[-_LONGEST:]}" if reply else "call"
    for number, call in enumerate(calls, 1):
        identity = call["id"]
        while not identity or identity in seen:
            identity = f"{identity or prefix}_{number}"
        seen.add(identity)
        function = {**call["function"], "arguments": call["function"]["arguments"] or "{}"}
        fields = unknown_fields.finite({**call, "id": identity, "function": function})
        complete.append(cast(ToolCall, fields))
    return complete


def arguments_of(call: ToolCall) -> dict[str, Any] | None:
    """Return the arguments of `call`, {} for an empty string and for `null`.

    Return None if they are not a JSON object, or not strict JSON (RFC 8259).
    """
    try:
        value = strict_json.parse_json(call["function"]["arguments"] or "{}")
    except ValueError:
        return None
    if value is None:  # Groq sends it for a tool without parameters
        return {}
    return value if isinstance(value, dict) else None


def malformed(call: ToolCall) -> bool:
    """Return whether `call` cannot be run, as it lacks a name or its arguments are not valid."""
    return not call["function"]["name"] or arguments_of(call) is None


def refuse_malformed(calls: Sequence[ToolCall]) -> None:
    """Raise ToolError for the first of `calls` that cannot be run."""
    for call in calls:
        if malformed(call):
            name = call["function"]["name"]
            if not name and arguments_of(call) is not None:
                raise ToolError("the model called a tool without a name")
            raise ToolError(f"the arguments of the call to {name!r} are not a JSON object")

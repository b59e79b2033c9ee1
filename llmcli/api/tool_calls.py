"""Tool calls put together from the pieces in which servers send them."""

import json
from collections.abc import Sequence
from typing import Any, cast

from llmcli.api import strict_json, unknown_fields
from llmcli.api.types import ToolCall
from llmcli.errors import ToolError

# Of a made-up id, all of which may have 40 characters at some endpoints.
_LONGEST = 24


class ToolCalls:
    """Pieces in, whole calls out. The rule, made from what servers really send:

    a new non-empty id opens a new call, and so does a name after a call that is whole; a piece
    without an id belongs to the call of its index, one without either to the last call; the first
    non-empty name wins; unknown keys are kept.
    """

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []

    def add(self, pieces: list[dict[str, Any]], whole: bool = False) -> None:
        """`whole`: each is a call of its own."""
        taken: list[ToolCall] = []
        for position, piece in enumerate(pieces):
            calls = [c for c in self._calls if not (_is_in(taken, c) or _begins_another(piece, c))]
            call = _find(calls, piece, position, alone=len(pieces) == 1)
            if call is None:
                call = self._open(piece, position)
            taken += [call] if whole else []
            self._merge(call, piece)

    def whole(self) -> list[ToolCall]:
        """The calls as an assistant message carries them, in order of their first piece."""
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
    return any(one is call for one in calls)


def _find(
    calls: Sequence[ToolCall], piece: dict[str, Any], position: int, alone: bool
) -> ToolCall | None:
    """The call that the piece belongs to, if that has begun."""
    identity = _text(piece.get("id"))
    last = calls[-1] if calls else None
    if last and alone and not identity and piece.get("index") is None:
        return last
    index = _index(piece, position)
    if last and index is not None and last.get("index") == index and not _name(piece):
        return last  # some servers give each piece an id of its own
    for call in reversed(calls):
        same_index = index is None or call.get("index") == index
        if same_index and (not identity or call["id"] in ("", identity)):
            return call
    return None


def _index(piece: dict[str, Any], position: int) -> Any:
    """Of what has no id either it is the position."""
    index = piece.get("index")
    return position if index is None and not _text(piece.get("id")) else index


def _begins_another(piece: dict[str, Any], call: ToolCall) -> bool:
    """Some servers give all calls of a turn index 0 and no id: then names tell them apart."""
    name, known, so_far = _name(piece), call["function"]["name"], call["function"]["arguments"]
    identity = _text(piece.get("id"))
    if not name or not known or (identity and identity == call["id"]):
        return False
    if so_far and not (so_far.rstrip().endswith("}") and arguments_of(call) is not None):
        return False
    told = piece["function"].get("arguments")
    return name != known or bool(so_far and told and str(told).lstrip().startswith("{"))


def _name(piece: dict[str, Any]) -> str:
    function = piece.get("function")
    return _text(function.get("name")) if isinstance(function, dict) else ""


def _text(value: Any) -> str:
    """An id, which may come as a number or not at all."""
    return "" if value is None or isinstance(value, (dict, list, bool)) else str(value)


def passed_back(calls: list[ToolCall], reply: Any = None) -> list[ToolCall]:
    """`calls` as the next request carries them: each with an id of its own, by which its result
    refers to it and which some servers leave out or give to all, and `{}` for no arguments. An id
    that is made up has that of the `reply` in it, as other runs may share the conversation."""
    seen: set[str] = set()
    whole: list[ToolCall] = []
    made = f"call_{str(reply)[-_LONGEST:]}" if reply else "call"
    for number, call in enumerate(calls, 1):
        identity = call["id"]
        while not identity or identity in seen:
            identity = f"{identity or made}_{number}"
        seen.add(identity)
        function = {**call["function"], "arguments": call["function"]["arguments"] or "{}"}
        own = unknown_fields.finite({**call, "id": identity, "function": function})
        whole.append(cast(ToolCall, own))
    return whole


def arguments_of(call: ToolCall) -> dict[str, Any] | None:
    """Its arguments, none being `{}`; None for what is no JSON object as RFC 8259 has it."""
    try:
        value = strict_json.parse_json(call["function"]["arguments"] or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def malformed(call: ToolCall) -> bool:
    """Whether it cannot be run: no name, or no arguments that can be read."""
    return not call["function"]["name"] or arguments_of(call) is None


def refuse_malformed(calls: Sequence[ToolCall]) -> None:
    """Raises ToolError."""
    if bad := [call for call in calls if malformed(call)]:
        name = bad[0]["function"]["name"]
        raise ToolError(f"the arguments of the call to {name!r} are not a JSON object")

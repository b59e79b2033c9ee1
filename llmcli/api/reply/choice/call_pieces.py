"""Tool calls put together from the pieces that servers send, in a time linear in their number."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

from llmcli.api import strict_json, unknown_fields
from llmcli.api.reply.tool_calls import CUSTOM, FUNCTION, WRITTEN, body_of
from llmcli.api.types import ToolCall

# How many of the latest calls that fit are looked at for each piece. Servers interleave a handful;
# without a bound, each piece of 100,000 would be compared with each call.
_LATEST = 8


class _Call:
    """A call as far as its pieces have come; `number` is its place among the calls."""

    def __init__(self, number: int, index: Any) -> None:
        self.number = number
        self.index = index
        self.id = ""
        self.name = ""
        self.kind: str | None = None  # what it holds, once a piece has said so
        self.fields: dict[str, Any] = {}  # beside id and body
        self.body: dict[str, Any] = {}  # beside the name and what the model wrote
        self._written: list[str] = []
        self._complete: bool | None = None  # None: not looked at since the last piece

    @property
    def begun(self) -> bool:
        """Return whether the model has written anything for the tool."""
        return any(self._written)

    @property
    def written(self) -> str:
        """Return what the model has written for the tool so far."""
        self._written = ["".join(self._written)]
        return self._written[0]

    def merge(self, piece: dict[str, Any]) -> None:
        for key, value in piece.items():
            if key not in ("index", "id", FUNCTION, CUSTOM) and value is not None:
                self.fields[key] = value  # unknown keys ride along
        self.id = self.id or _text(piece.get("id"))
        kind, body = body_of(piece)
        if not body:
            return
        if self.kind is None or any(body.values()):
            self.kind = kind
        for key, value in body.items():
            if key == "name":
                self._add_to_name(value)
            elif key == WRITTEN[kind]:
                self._write(value)
            elif value is not None:
                self.body[key] = value

    def _add_to_name(self, value: Any) -> None:
        """Join a name in pieces, as OpenAI's library does; many servers repeat the whole name."""
        if not isinstance(value, str) or self.begun or value == self.name:
            self.name = self.name or (value if isinstance(value, str) else "")
        else:
            self.name = value if value.startswith(self.name) else self.name + value

    def _write(self, value: Any) -> None:
        self._complete = None
        if isinstance(value, str):
            self._written.append(value)
        elif value is not None:  # an object in the place of a text: it is all there is
            self._written = [json.dumps(unknown_fields.finite(value), ensure_ascii=False)]

    def has_all_arguments(self) -> bool:
        """Return whether what was written is a JSON object."""
        if self._complete is None:
            self._complete = self._is_object()
        return self._complete

    def _is_object(self) -> bool:
        last = next((text for text in reversed(self._written) if text.strip()), "")
        if not last.rstrip().endswith("}"):  # told without joining all pieces
            return False
        try:
            return isinstance(strict_json.parse_json(self.written), dict)
        except ValueError:
            return False

    @property
    def says_nothing(self) -> bool:
        """Return whether it has neither a name nor arguments, nor anything of another kind."""
        others = {key for key in self.fields if key != "type"}
        return not (self.name or self.begun or self.body or others)

    def whole(self) -> ToolCall:
        """Return the call as an assistant message has it."""
        call: dict[str, Any] = {"id": self.id, "type": self.kind or FUNCTION}
        if self.kind or self.fields.get("type", FUNCTION) in (FUNCTION, CUSTOM):
            kind = self.kind or FUNCTION
            call[kind] = {"name": self.name, WRITTEN[kind]: self.written, **self.body}
        return cast(ToolCall, {**call, **self.fields})


class ToolCalls:
    """The tool calls of one answer, put together from pieces.

    The rules follow what servers really send. A new id opens a new call, and so does a name that
    comes after a call whose arguments are complete. A piece without an id belongs to the call of
    its index, one without either to the last call. A name may come in pieces before what the model
    writes for the tool. Unknown keys are kept.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[Any, list[_Call]] = defaultdict(list)
        self._by_id: dict[str, list[_Call]] = defaultdict(list)
        self._without_id: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, pieces: list[dict[str, Any]], *, whole: bool = False) -> None:
        """Add the pieces of one chunk. With `whole`, each piece is a call of its own."""
        taken: set[int] = set()
        named: set[int] = set()
        for position, piece in enumerate(pieces):
            call = self._find(piece, position, taken, named, alone=len(pieces) == 1)
            if call is None:
                call = _Call(len(self._calls), _index(piece, position))
                self._calls.append(call)
                self._by_index[_key(call.index)].append(call)
                self._without_id.append(call)
            if whole:
                taken.add(call.number)
            if _name(piece):
                named.add(call.number)
            had_id = call.id
            call.merge(piece)
            if call.id and not had_id:
                self._by_id[call.id].append(call)

    def calls(self) -> list[ToolCall]:
        """Return the calls so far as an assistant message has them, in order of their first piece.

        A call that says nothing is none. The arguments of a call may lack their end if the answer
        has not ended.
        """
        return [call.whole() for call in self._calls if not call.says_nothing]

    def names(self) -> list[str]:
        """Return the names of the tools that `calls` call."""
        return [call.name for call in self._calls if not call.says_nothing]

    def _find(
        self,
        piece: dict[str, Any],
        position: int,
        taken: set[int],
        named: set[int],
        *,
        alone: bool,
    ) -> _Call | None:
        """Return the call that `piece` belongs to; None if it opens a new one.

        `position` is the place of the piece in its chunk, `alone` says that it is the only one
        there. The calls that are `taken` are whole, and those that are `named` got a name by an
        earlier piece of the chunk.
        """

        def latest(calls: Iterable[_Call]) -> _Call | None:
            for call in calls:
                goes_on = call.number not in named and _goes_on(piece, call)
                if call.number not in taken and (goes_on or not _begins_another(piece, call)):
                    return call
            return None

        identity, index = _text(piece.get("id")), _index(piece, position)
        follows = alone and not identity and piece.get("index") is None
        if follows or (index is not None and not _name(piece)):
            last = latest(islice(reversed(self._calls), _LATEST))
            # Whatever its id: some servers give each piece an id of its own.
            if last and (follows or last.index == index):
                return last
        same = self._calls if index is None else self._by_index.get(_key(index), [])
        if not identity:
            return latest(islice(reversed(same), _LATEST))
        return latest(self._of_id(identity, index))

    def _of_id(self, identity: str, index: Any) -> Iterator[_Call]:
        """Yield the latest calls with this id or with none, and with this index if there is one."""
        while self._without_id and self._without_id[-1].id:
            self._without_id.pop()
        of_id = islice(reversed(self._by_id.get(identity, [])), _LATEST)
        without = (c for c in islice(reversed(self._without_id), _LATEST) if not c.id)
        for call in sorted([*of_id, *without], key=lambda call: -call.number):
            if index is None or call.index == index:
                yield call


def _key(index: Any) -> Any:
    """Return what an index is filed under: what a server puts there may not be hashable."""
    return index if isinstance(index, (int, float, str)) else repr(index)


def _index(piece: dict[str, Any], position: int) -> Any:
    """Return the index of `piece`; its position in the chunk if it has neither index nor id."""
    index = piece.get("index")
    return position if index is None and not _text(piece.get("id")) else index


def _begins_another(piece: dict[str, Any], call: _Call) -> bool:
    """Return whether the name in `piece` shows that it opens another call than `call`.

    Some servers give all calls of a turn index 0 and no id, and only names tell them apart. A name
    opens another call if `call` has its arguments complete, or none yet, and the name differs; the
    same name does so only together with the beginning of an object, as some servers repeat the
    name with each piece. Whether the input of a custom tool is complete nobody knows.
    """
    name, identity = _name(piece), _text(piece.get("id"))
    if not name or not call.name or (identity and identity == call.id):
        return False
    if call.kind == CUSTOM:
        return name != call.name
    if call.begun and not call.has_all_arguments():
        return False
    more = body_of(piece)[1].get("arguments")
    return name != call.name or bool(call.begun and more and str(more).lstrip().startswith("{"))


def _goes_on(piece: dict[str, Any], call: _Call) -> bool:
    """Return whether the name in `piece` is a further part of that of `call`.

    It is if the call has this very index and nothing was written for it, and the piece has no id of
    its own. Where no call has an id, a name that comes together with arguments is another's.
    """
    if call.begun or piece.get("index") is None or _text(piece.get("id")):
        return False
    kind, body = body_of(piece)
    return call.index == piece["index"] and bool(call.id or not body.get(WRITTEN[kind]))


def _name(piece: dict[str, Any]) -> str:
    return _text(body_of(piece)[1].get("name"))


def _text(value: Any) -> str:
    """Return an id or a name as a string; "" if it is missing or not a string or number."""
    return "" if value is None or isinstance(value, (dict, list, bool)) else str(value)

"""Events that differ from one before in nothing but their text: they are most of an answer.

An answer of many thousands of them would spend its time on reading the same fields again. They are
told by their bytes, and those that arrived together become one chunk with the texts of all.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from llmcli.api.types import Chunk
from llmcli.errors import ProtocolError
from llmcli.system.short_ways import is_on

# The inside of a JSON string (RFC 8259, section 7). Nothing is tried in another way: what would be
# kept for that is a hundred times as large as an escape.
_INSIDE = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+')
_SCALAR = (str, int, float, type(None))
_LARGE = 65536
# Some servers have something else beside the text of each event.
_ENOUGH = 8
_NOTHING: tuple[Any, ...] = (None, "", [], 0)


class PlainEvents:
    """`read` gives the chunks of an event, in whatever form it is; it raises ProtocolError."""

    def __init__(self, read: Callable[[bytes], list[Chunk]]) -> None:
        self._read = read
        self._last: tuple[bytes, Chunk] | None = None
        self._chunk: Chunk | None = None
        # What stands before and after the text of the known event.
        self._known = b"", b""
        self._in_vain = 0
        self._on = is_on("repeated-events")

    def was_read(self, event: bytes, chunk: Chunk) -> None:
        """`event`, as `chunk`. Of a large one nothing is kept."""
        self._last = (event, chunk) if len(event) <= _LARGE else None

    def learn(self) -> None:
        """What was read last is known from now on, if with another text it is read as the same
        chunk with that text. This takes as long as to read one: it is for when nothing waits, or
        many others do."""
        if self._last is None or self._in_vain == _ENOUGH or not self._on:
            return
        (event, chunk), self._last = self._last, None
        text = _only_text(chunk)
        for string in _strings(text) if text else ():
            start, found, end = event.rpartition(string)
            if found:
                other = _with_text(chunk, f"{text}.")
                self._try(start + b'"', string[1:-1] + b".", b'"' + end, other)
                return

    def _try(self, start: bytes, inside: bytes, end: bytes, chunk: Chunk) -> None:
        self._in_vain += 1
        try:
            read = self._read(start + inside + end)
        except ProtocolError:
            return  # such a text as `: ` stands between the fields of JSON, too
        if read == [chunk]:
            self._known, self._chunk = (start, end), chunk

    def text(self, event: bytes) -> bytes | None:
        """Its text, as it stands there, if the rest of it is known."""
        start, end = self._known
        if self._chunk is None or not (event.startswith(start) and event.endswith(end)):
            return None
        found = _INSIDE.fullmatch(event, len(start), len(event) - len(end))
        if found is None:
            return None
        self._in_vain = 0
        return found[0]

    def chunk(self, texts: list[bytes]) -> Chunk:
        """That which stands for all events with these texts."""
        assert self._chunk is not None
        return _with_text(self._chunk, json.loads(f'"{b"".join(texts).decode()}"'))


def _strings(text: str) -> list[bytes]:
    """The ways in which servers write it."""
    ways = (json.dumps(text, ensure_ascii=ascii_only) for ascii_only in (False, True))
    return [way.encode(errors="replace") for way in ways]


def _only_text(chunk: Chunk) -> str | None:
    """The text, if two such chunks say no more than one with the text of both: other lists would
    grow, say, and what a delta adds beside its text would come once."""
    try:
        (choice,) = chunk["choices"]
        delta: dict[str, Any] = choice["delta"]
        text = delta["content"]
        beside = [delta[name] for name in delta if name not in ("content", "role")]
        beside += [choice[name] for name in choice if name != "delta"]
    except (KeyError, TypeError, ValueError):
        return None
    others = [chunk[name] for name in chunk if name != "choices"]
    plain = all(value in _NOTHING for value in beside)
    lasting = all(isinstance(value, _SCALAR) for value in others)
    return text if plain and lasting and isinstance(text, str) else None


def _with_text(chunk: Chunk, text: str) -> Chunk:
    (choice,) = chunk["choices"]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}

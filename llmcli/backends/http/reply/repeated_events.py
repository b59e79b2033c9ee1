"""A short way to read events that differ from an earlier event in nothing but their text.

Most events of an answer are like that, and parsing the same fields in each would take most of the
time. Such an event is recognized by its bytes: those before and after the text are known. Events
that arrived together become one chunk, with the texts of all of them.

Without it an answer of 20,000 events takes 2.4 times as long from start to end, by
`python -m tests.benchmarks short`. It leans on no private names.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from llmcli.api.types import Chunk
from llmcli.errors import ProtocolError
from llmcli.system.short_ways import is_on

# The inside of a JSON string (RFC 8259, section 7). The possessive `*+` remembers no positions to
# go back to, each of which would take a hundred times the memory of an escape sequence.
_INSIDE = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+')
_SCALAR = (str, int, float, type(None))
# Bytes of an event. A larger one is not learned, as it would have to be kept in memory.
_LARGE = 65536
# After this many events in a row that were not repeated, no more are learned: some servers change
# another field in each event.
_MOST_IN_VAIN = 8
# Values of a field that say nothing, so that it does not matter how often they come.
_NOTHING: tuple[Any, ...] = (None, "", [], 0)


class RepeatedEvents:
    """Learns an event of a stream, and reads those that repeat it with another text.

    `read` is the long way: it returns the chunks of any event, and raises ProtocolError.
    """

    def __init__(self, read: Callable[[bytes], list[Chunk]]) -> None:
        self._read = read
        self._last: tuple[bytes, Chunk] | None = None
        # Of the event that was learned: its chunk, and the bytes before and after its text.
        self._chunk: Chunk | None = None
        self._known = b"", b""
        self._in_vain = 0
        self._on = is_on("repeated-events")

    def was_read(self, event: bytes, chunk: Chunk) -> None:
        """Remember that `event` was read as `chunk`, for `learn`."""
        self._last = (event, chunk) if len(event) <= _LARGE else None

    def learn(self) -> None:
        """Learn the event that was read last, if its text can be exchanged.

        To find that out, the event is read again with another text, and must give the same chunk
        with that text. This takes as long as reading an event, so it is for a moment when nothing
        waits, or when many events that may be alike wait.
        """
        if self._last is None or self._in_vain == _MOST_IN_VAIN or not self._on:
            return
        (event, chunk), self._last = self._last, None
        text = _only_text(chunk)
        for string in _strings(text) if text else ():
            start, match, end = event.rpartition(string)
            if match:
                other = _with_text(chunk, f"{text}.")
                self._try(start + b'"', string[1:-1] + b".", b'"' + end, other)
                return

    def _try(self, start: bytes, inside: bytes, end: bytes, chunk: Chunk) -> None:
        """Learn `start` and `end` if the event with the text `inside` is read as `chunk`."""
        self._in_vain += 1
        try:
            read = self._read(start + inside + end)
        except ProtocolError:
            return  # the place found was not the text: `: ` also stands between fields of JSON
        if read == [chunk]:
            self._known, self._chunk = (start, end), chunk

    def text(self, event: bytes) -> bytes | None:
        """Return the text of a repeated event, with JSON's escapes; None for any other event."""
        start, end = self._known
        if self._chunk is None or not (event.startswith(start) and event.endswith(end)):
            return None
        inside = _INSIDE.fullmatch(event, len(start), len(event) - len(end))
        if inside is None:
            return None
        self._in_vain = 0
        return inside[0]

    def chunk(self, texts: list[bytes]) -> Chunk:
        """Return the one chunk for repeated events of these `texts`, as `text` returned them."""
        assert self._chunk is not None
        # Joined before they are decoded: a pair of surrogates may be split between two events.
        return _with_text(self._chunk, json.loads(f'"{b"".join(texts).decode()}"'))


def _strings(text: str) -> list[bytes]:
    """Return `text` as a JSON string in the two ways in which servers write it."""
    ways = (json.dumps(text, ensure_ascii=ascii_only) for ascii_only in (False, True))
    return [way.encode(errors="replace") for way in ways]


def _only_text(chunk: Chunk) -> str | None:
    """Return the text of `chunk` if it says nothing else; else None.

    Only then can one chunk stand for many. A list, for example, would have to grow with each of
    them, and another field of a delta, such as reasoning, would come once instead of many times.
    """
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

"""The chunked coding of a body (RFC 9112, section 7.1), taken apart as it arrives.

Many servers send each event as a chunk of its own. http.client takes 20 µs for a chunk, more than
everything else that is done with an event; so here all that has arrived is taken apart at once.
"""

import re
from http.client import HTTPException, IncompleteRead
from io import BufferedReader
from typing import Any

# The line before a chunk, and the line end of the chunk before that.
_FIRST = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_NEXT = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")
# The same line as few servers write it: with blanks, zeros in front or extensions.
_ANY = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\n", re.DOTALL)
# Bytes of such a line, and lines behind the last chunk.
_LONGEST_LINE = 65536
_MOST_TRAILERS = 100
_LINE_ENDS = (b"\r\n", b"\n")


class ChunkedBody:
    """The payload of a chunked body, which `reader` stands in front of."""

    def __init__(self, reader: "BufferedReader[Any]") -> None:
        self._reader = reader
        self._left = 0  # bytes of the chunk that has begun
        self._line_end_due = False  # after a chunk
        self._ended = False

    def read(self) -> bytes:
        """Return the payload that has arrived, waiting for some of it; b"" at the end of the body.

        Raise IncompleteRead if the connection ends before the body, another HTTPException if the
        coding is not valid, and what the reader raises.
        """
        while not self._ended:
            arrived = self._reader.peek()
            if not arrived:
                raise IncompleteRead(b"")
            payload, taken = self._take(arrived)
            self._reader.read(taken)
            if payload:
                return payload
            if not taken:
                self._read_line()
        return b""

    def _take(self, arrived: bytes) -> tuple[bytes, int]:
        """Return the payload in `arrived`, and how many bytes of `arrived` it was taken from."""
        payloads: list[bytes] = []
        at = 0
        while True:
            if self._left:
                piece = arrived[at : at + self._left]
                payloads.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._line_end_due = True
                if self._left or not piece:
                    break
            line = (_NEXT if self._line_end_due else _FIRST).match(arrived, at)
            size = int(line[1], 16) if line else 0
            if line is None or not size:
                break  # the end, or a line of which the rest has yet to arrive
            at, self._left, self._line_end_due = line.end(), size, False
        return b"".join(payloads), at

    def _read_line(self) -> None:
        """Read the line before a chunk, and behind the last chunk the rest of the body."""
        if self._line_end_due:
            if self._line() not in _LINE_ENDS:
                raise HTTPException("a chunk is longer than its size")
            self._line_end_due = False
        line = self._line()
        match = _ANY.fullmatch(line)
        if match is None:
            raise HTTPException("a chunk without a valid size")
        self._left = int(match[1], 16)
        if not self._left:
            self._read_trailers()
            self._ended = True

    def _line(self) -> bytes:
        line = self._reader.readline(_LONGEST_LINE)
        if not line:
            raise IncompleteRead(b"")
        return line

    def _read_trailers(self) -> None:
        # Some servers close the connection behind the last chunk, without the line that is due.
        for _ in range(_MOST_TRAILERS):
            if self._reader.readline(_LONGEST_LINE) in (*_LINE_ENDS, b""):
                return
        raise HTTPException(f"more than {_MOST_TRAILERS} lines behind the last chunk")

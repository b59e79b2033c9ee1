"""The body of a reply, in as few pieces as it comes in.

Where each event is a chunk of its own, http.client and urllib3 take 20 µs for it, more than all
else. So whole chunks that are there already are taken together here; all that is not as plain as
that is left to them.
"""

import io
import re
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any

from llmcli.system.short_ways import is_on

_BLOCK = 65536
_ON = is_on("whole-chunks")
_LINE_END = b"\r\n"
# The head of a chunk with no extension.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
Check = Callable[[], object]


class Watched(io.RawIOBase):
    """`check()` before each read of the system. It raises what is to end the reading. `ended`: the
    system has nothing more."""

    def __init__(self, raw: io.RawIOBase, check: Check) -> None:
        self.ended = False
        self._raw = raw
        self._check = check

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._check()
        count = self._raw.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def buffered(watched: Watched) -> "io.BufferedReader[Watched]":
    return io.BufferedReader(watched, _BLOCK)


def blocks(response: HTTPResponse) -> Iterator[bytes]:
    """Raises HTTPException, IncompleteRead where the body is not whole, and OSError."""
    while block := _whole_chunks(response) or response.read1(_BLOCK):
        yield block
    if response.length:
        raise IncompleteRead(b"", response.length)
    response.close()  # its connection is free for another


def ends(response: HTTPResponse) -> bool:
    """Whether it comes to its end with what is read next."""
    response.read1(_BLOCK)
    if response.length == 0:
        response.close()
    return response.isclosed()


def _whole_chunks(response: HTTPResponse) -> bytes:
    """Those that have arrived; waits where nothing has. None inside of a chunk, and at the end."""
    reader: Any = response.fp
    if not response.chunked or response.chunk_left or reader is None:
        return b""
    if response.chunk_left == 0 and reader.peek().startswith(_LINE_END):
        reader.read(len(_LINE_END))
        response.chunk_left = None  # which says that this was read
    if response.chunk_left is not None:
        return b""
    arrived = reader.peek()
    payloads: list[bytes] = []
    at = 0
    while _ON and (head := _SIZE.match(arrived, at)):
        end = head.end() + int(head[1], 16)
        if end == head.end() or not arrived.startswith(_LINE_END, end):
            break
        payloads.append(arrived[head.end() : end])
        at = end + len(_LINE_END)
    if not payloads and arrived.lstrip().startswith(b"-"):
        # http.client would take it, and wait for ever.
        raise HTTPException("negative size of a chunk")
    reader.read(at)
    return b"".join(payloads)

"""The body of a reply, read in as few pieces as possible.

Many servers send each event as a chunk of its own. http.client and urllib3 take 20 µs for a chunk,
more than everything else that is done with an event. So all whole chunks that have arrived are
taken together here; http.client reads every body whose framing is not as simple as that.

A short way: without it an answer of 20,000 events takes 2.8 times as long from start to end, by
`python -m tests.benchmarks short`. Of http.client's names that are not documented it leans on
`chunked`, `chunk_left` and `fp` of HTTPResponse.
"""

import io
import re
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any

from llmcli.system.short_ways import is_on

# Bytes read at once.
_BLOCK = 65536
_ON = is_on("whole-chunks")
_LINE_END = b"\r\n"
# The head of a chunk without extensions (RFC 9112, section 7.1).
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
# Called before each read of a socket; it raises the error that is to end the reading.
Check = Callable[[], object]


class CheckedReader(io.RawIOBase):
    """The raw stream of a socket, which calls `check` before each read.

    `ended` is True once the other side has closed the connection.
    """

    def __init__(self, raw: io.RawIOBase, check: Check) -> None:
        self.ended = False
        self._raw = raw
        self._check = check

    def readable(self) -> bool:
        """Return True, as io.BufferedReader requires."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read into `buffer` and return the number of bytes. Raises what `check` raises."""
        self._check()
        count = self._raw.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        """Close the socket's stream as well."""
        self._raw.close()
        super().close()


def buffered(reader: CheckedReader) -> "io.BufferedReader[CheckedReader]":
    """Return `reader` with a buffer that is large enough for many chunks."""
    return io.BufferedReader(reader, _BLOCK)


def blocks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the body of a reply, in pieces that are as large as what has arrived.

    Raises IncompleteRead if the body is shorter than its head says, another HTTPException if the
    framing is not valid, and OSError if the connection fails.
    """
    while block := _whole_chunks(response) or response.read1(_BLOCK):
        yield block
    if response.length:
        raise IncompleteRead(b"", response.length)
    response.close()  # frees the connection for another request


def reaches_end(response: HTTPResponse) -> bool:
    """Read once more and return True if the body is at its end. Raises what `blocks` raises."""
    response.read1(_BLOCK)
    if response.length == 0:
        response.close()
    return response.isclosed()


def _whole_chunks(response: HTTPResponse) -> bytes:
    """Return the payloads of all whole chunks that have arrived; wait if nothing has arrived.

    Return b"" where http.client has to read: if the body is not chunked, inside a chunk, before a
    chunk that is not whole or has extensions, and before the last chunk.
    """
    reader: Any = response.fp
    if not response.chunked or response.chunk_left or reader is None:
        return b""
    if response.chunk_left == 0 and reader.peek().startswith(_LINE_END):
        # http.client leaves the line end after a chunk until it reads the next. None tells it that
        # the line end was read.
        reader.read(len(_LINE_END))
        response.chunk_left = None
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
        # http.client accepts a negative size, and then waits for ever.
        raise HTTPException("negative size of a chunk")
    reader.read(at)
    return b"".join(payloads)

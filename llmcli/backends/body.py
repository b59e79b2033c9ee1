"""The body of a reply, in as few pieces as it comes in.

Where each event is a chunk of its own, http.client and urllib3 take 20 µs for it, more than all
else. So whole chunks that are there already are taken together here; all that is not as plain as
that is left to them.
"""

import io
import re
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any

_BLOCK = 65536
_LINE_END = b"\r\n"
# The head of a chunk with no extension.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
Check = Callable[[], object]


class _Watched(io.RawIOBase):
    """`check()` before each read of the system. It raises what is to end the reading."""

    def __init__(self, reader: Any, check: Check) -> None:
        self._reader = reader
        self._check = check

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._check()
        # Not readinto1, which waits for more even where there is something.
        data = self._reader.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._reader.close()
        super().close()


def blocks(response: Any, check: Check) -> Iterator[bytes]:
    """Of a response of urllib3. Raises what that raises, and OSError."""
    inner = getattr(response, "_fp", None)
    if not isinstance(inner, HTTPResponse):  # it is urllib3's own matter
        while block := response.read1(_BLOCK, decode_content=False):
            yield block
            check()
        return
    reader = io.BufferedReader(_Watched(inner.fp, check), _BLOCK)
    inner.fp = reader  # type: ignore[assignment]
    while block := _whole_chunks(inner, reader) or response.read1(_BLOCK, decode_content=False):
        yield block


def _whole_chunks(inner: HTTPResponse, reader: "io.BufferedReader[_Watched]") -> bytes:
    """Those that have arrived; waits where nothing has. None inside of a chunk, and at the end."""
    if not inner.chunked or inner.chunk_left or inner.fp is None:
        return b""
    if inner.chunk_left == 0 and reader.peek().startswith(_LINE_END):
        reader.read(len(_LINE_END))
        inner.chunk_left = None  # which says that this was read
    if inner.chunk_left is not None:
        return b""
    arrived = reader.peek()
    payloads: list[bytes] = []
    at = 0
    while head := _SIZE.match(arrived, at):
        end = head.end() + int(head[1], 16)
        if end == head.end() or not arrived.startswith(_LINE_END, end):
            break
        payloads.append(arrived[head.end() : end])
        at = end + len(_LINE_END)
    if not payloads and arrived.startswith(b"-"):  # http.client would take it, and wait for ever
        raise HTTPException("negative size of a chunk")
    reader.read(at)
    return b"".join(payloads)

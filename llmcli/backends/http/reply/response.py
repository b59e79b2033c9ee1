"""A response of http.client, read as it arrives, with a check of the time before each read.

Of http.client's names that are not documented this leans on `fp`, `chunked` and `length` of
HTTPResponse.
"""

import io
from collections.abc import Callable
from http.client import HTTPResponse, IncompleteRead
from typing import Any

from llmcli.backends.http.reply.chunked import ChunkedBody
from llmcli.backends.http.reply.framing import settle_length
from llmcli.backends.http.reply.head import read_head
from llmcli.backends.http.timeouts import Progress

# Bytes read at once.
_BLOCK = 65536
# Statuses whose replies have no body (RFC 9110, section 15).
_WITHOUT_BODY = (204, 304)


class _CheckedReader(io.RawIOBase):
    """The raw stream of a socket, which calls `check` before each read."""

    def __init__(self, raw: io.RawIOBase, check: Callable[[], None]) -> None:
        self._raw = raw
        self._check = check

    def readable(self) -> bool:
        """Return True, as io.BufferedReader requires."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read into `buffer` and return the number of bytes. Raises what `check` raises."""
        self._check()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Close the socket's stream as well."""
        self._raw.close()
        super().close()


class Response(HTTPResponse):
    """A reply on `connection`, a socket; `progress` bounds the time of each read."""

    def __init__(self, connection: Any, progress: Progress, **options: Any) -> None:
        super().__init__(connection, **options)
        self._progress = progress
        raw: Any = self.fp
        checked = _CheckedReader(raw.detach(), progress.check_read)
        self._reader = io.BufferedReader(checked, _BLOCK)
        self.fp = self._reader  # type: ignore[assignment]
        self._chunks: ChunkedBody | None = None

    def begin(self) -> None:
        """Read the head. Raises RemoteDisconnected if it is cut off."""
        self._progress.heard = bool(self._reader.peek(1))
        self.fp = io.BufferedReader(io.BytesIO(read_head(self._reader)))
        super().begin()
        self.fp = self._reader  # type: ignore[assignment]
        settle_length(self)
        if self.chunked:
            self._chunks = ChunkedBody(self._reader)

    def read_block(self) -> bytes:
        """Return what has arrived of the body, waiting for some of it; b"" at its end.

        Raises IncompleteRead if the body is shorter than its head says, another HTTPException if
        the framing is not valid, and OSError if the connection fails.
        """
        block = self._block()
        if not block:
            self.close()  # frees the connection for another request
        return block

    def _block(self) -> bytes:
        if self.isclosed() or self.status in _WITHOUT_BODY:
            return b""
        if self._chunks:
            return self._chunks.read()
        if self.length is None:
            return self._reader.read1(_BLOCK)
        block = self._reader.read1(min(_BLOCK, self.length)) if self.length else b""
        if self.length and not block:
            raise IncompleteRead(b"", self.length)
        self.length -= len(block)
        return block

"""A reply whose head is plain, read without http.client, on a connection that is kept.

A plain head has each field once, in ASCII, and says how long the body is; so nearly all servers
write it. Parsing it here takes a tenth of the time of http.client, which uses the parser of e-mail.
"""

import io
import re
from http.client import IncompleteRead
from typing import Any

from llmcli.backends.http.reply.chunked import ChunkedBody
from llmcli.backends.http.reply.head import read_head
from llmcli.backends.http.reply.response import Response
from llmcli.backends.http.timeouts import Progress

_BLOCK = 65536
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)(?: [\t -~]*)?\r\n")
# A name is a token (RFC 9110, section 5.6.2); blanks around a value are no part of it.
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~](?:[\t -~]*[!-~])?)?)[ \t]*\r\n"
)
_NUMBER = re.compile(r"[0-9]{1,18}")
# Statuses whose replies have no body (RFC 9110, section 15).
_WITHOUT_BODY = (204, 304)


class PlainReply:
    """The reply whose head was read; `headers` have their names in lower case."""

    def __init__(
        self, status: int, headers: dict[str, str], reader: "io.BufferedReader[Any]"
    ) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader
        is_chunked = "transfer-encoding" in headers
        self._chunks = ChunkedBody(reader) if is_chunked else None
        self._left = 0 if is_chunked else int(headers["content-length"])
        self.is_at_end = False

    @property
    def keeps_connection(self) -> bool:
        """Return whether the server leaves the connection open for another request."""
        return "close" not in self.headers.get("connection", "").lower()

    def read_block(self) -> bytes:
        """Return what has arrived of the body, as `Response.read_block` does."""
        if self._chunks:
            block = self._chunks.read()
        elif self._left:
            block = self._reader.read1(min(_BLOCK, self._left))
            if not block:
                raise IncompleteRead(b"", self._left)
            self._left -= len(block)
        else:
            block = b""
        self.is_at_end = not block
        return block


def plain_head(head: bytes) -> tuple[int, dict[str, str]] | None:
    """Return the status and the fields, by names in lower case; None if the head is not plain."""
    begin = _STATUS.match(head)
    if begin is None:
        return None
    at, headers = begin.end(), {}
    while field := _FIELD.match(head, at):
        name, value = field.groups()
        name_of = name.decode().lower()
        if name_of in headers:
            return None
        headers[name_of] = value.decode()
        at = field.end()
    status = int(begin[1])
    if head[at:] != b"\r\n" or status in _WITHOUT_BODY or not _tells_length(headers):
        return None
    return status, headers


def _tells_length(headers: dict[str, str]) -> bool:
    """Return whether the body is chunked or has a length, and not both."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        return length is None and coding.lower() == "chunked"
    return length is not None and _NUMBER.fullmatch(length) is not None


class _Replayed(io.RawIOBase):
    """The raw stream of a reply of which the head was read already."""

    def __init__(self, head: bytes, reader: "io.BufferedReader[Any]") -> None:
        self._head = head
        self._reader = reader

    def readable(self) -> bool:
        """Return True, as io.BufferedReader requires."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer` and return the number of bytes."""
        block = self._head[: len(buffer)] or self._reader.read1(len(buffer))
        self._head = self._head[len(block) :]
        buffer[: len(block)] = block
        return len(block)


class _Stream:
    """What Response needs of a socket."""

    def __init__(self, head: bytes, reader: "io.BufferedReader[Any]") -> None:
        self._raw = _Replayed(head, reader)

    def makefile(self, _mode: str) -> "io.BufferedReader[Any]":
        """Return the stream of the reply."""
        return io.BufferedReader(self._raw)


def begun(reader: "io.BufferedReader[Any]", progress: Progress) -> PlainReply | Response:
    """Read the head of the reply that `reader` stands in front of.

    A head that is not plain makes a Response, of http.client, after which the connection cannot be
    kept. Raise what that raises for a head that is not valid.
    """
    progress.heard = bool(reader.peek(1))
    head = read_head(reader)
    if found := plain_head(head):
        return PlainReply(*found, reader)
    response = Response(_Stream(head, reader), progress, method="POST")
    response.begin()
    return response

"""The head of a reply, prepared for http.client where that would fail or be deceived."""

from http.client import BadStatusLine, RemoteDisconnected
from io import BufferedReader
from typing import Any

# The bounds of http.client, in bytes of a line and in lines. What exceeds them is handed on, as
# http.client has the error for it.
_LONGEST_LINE = 65536
_MOST_LINES = 200
# How a status line begins.
_HTTP = b"HTTP/1."
_LINE_ENDS = (b"\r\n", b"\n")


def read_head(reader: "BufferedReader[Any]") -> bytes:
    """Read the head of the final reply and return it, as far as http.client can read it.

    All interim replies are skipped (RFC 9110, section 15.2); http.client skips only status 100. A
    chunked body is recognized by any valid spelling of Transfer-Encoding; http.client knows
    `chunked` alone. Raise RemoteDisconnected if the head is cut off, where http.client would take
    it for the head of an empty reply, and BadStatusLine for what is not HTTP.
    """
    while True:
        lines = _lines(reader)
        if not _is_interim(lines[0]):
            return b"".join(_with_known_coding(lines))


def _lines(reader: "BufferedReader[Any]") -> list[bytes]:
    lines: list[bytes] = []
    while len(lines) < _MOST_LINES:
        line = reader.readline(_LONGEST_LINE + 1)
        lines.append(line)
        if not line.endswith(b"\n") and len(line) <= _LONGEST_LINE:
            _raise_cut(lines[0])
        if line in _LINE_ENDS or len(line) > _LONGEST_LINE or not lines[0].startswith(_HTTP):
            break
    return lines


def _raise_cut(status_line: bytes) -> None:
    # What ends within these letters is a reply that was cut off; anything else is not HTTP.
    if _HTTP.startswith(status_line[: len(_HTTP)]):
        raise RemoteDisconnected("the connection was closed within the head of the reply")
    raise BadStatusLine(status_line.decode("latin-1"))


def _is_interim(status_line: bytes) -> bool:
    _version, _, rest = status_line.partition(b" ")
    status = rest.strip()[:3]
    return status.isdigit() and 100 <= int(status) < 200 and status != b"101"  # that one is final


def _with_known_coding(lines: list[bytes]) -> list[bytes]:
    """Return `lines` with `chunked` alone where one of several transfer codings is that."""
    fields = [line for line in lines if line[:18].lower() == b"transfer-encoding:"]
    codings = b",".join(line[18:] for line in fields).lower().split(b",")
    if b"chunked" not in map(bytes.strip, codings):
        return lines
    others = [line for line in lines if line not in fields]
    return [others[0], b"Transfer-Encoding: chunked\r\n", *others[1:]]

"""Bytes into events. sseclient-py is the parser; what it is given is made safe first.

sseclient-py reads an unterminated last event as whole, misses mixed line ends, keeps a byte order
mark, raises on invalid UTF-8 and grows quadratically on a large event in small pieces. So each
event's end is found in the bytes here, and the parser gets one whole, clean event at a time.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from sseclient import Event, SSEClient

from ..errors import LlmcliError, ProtocolError, Truncated

MAX_EVENT_BYTES = 128 * 2**20
MAX_EVENT_LINES = 20_000

# A blank line, with any mix of the three line ends. Atomic, or CRLF would count as two ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n?")
Warn = Callable[[str], None]
_BOM = b"\xef\xbb\xbf"


def _ignore(_warning: str) -> None:
    pass


def events(blocks: Iterable[bytes], warn: Warn = _ignore) -> Iterator[Event]:
    """The events of a stream cut into blocks at any place (WHATWG HTML, section 9.2.6).

    Raises Truncated if the stream ends inside an event, ProtocolError if one is too large.
    """
    yield from SSEClient(_split(blocks, warn)).events()


def _split(blocks: Iterable[bytes], warn: Warn) -> Iterator[bytes]:
    """One event's lines at a time, ended by LF LF."""
    splitter = _Splitter(warn)
    lost: LlmcliError | None = None
    for block in _until_lost(blocks):
        if isinstance(block, LlmcliError):
            lost = block
        else:
            yield from splitter.feed(block)
    rest = _significant(splitter.rest())
    if rest in ([b"data: [DONE]"], [b"data:[DONE]"]):
        yield rest[0] + b"\n\n"  # says all, even without its line end
    elif rest or lost:
        error = lost or Truncated("the stream ended inside an event", transient=True)
        error.inside_event = bool(rest)
        raise error


class _Splitter:
    """Finds the end of each event; every byte is looked at once, however it was cut."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._buffer = bytearray()
        self._at_start = True
        self._after_cr = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        if self._after_cr and block:
            # The LF of a CRLF that was cut in two belongs to the event before.
            block = block.removeprefix(b"\n")
            self._after_cr = False
        searched = max(len(self._buffer) - 2, 0)
        self._buffer += block
        if self._at_start:
            if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
                return
            self._at_start = False
            if self._buffer.startswith(_BOM):
                del self._buffer[: len(_BOM)]
                searched = 0
        yield from self._whole_events(searched)
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise ProtocolError(f"a line longer than {MAX_EVENT_BYTES // 2**20} MiB")

    def rest(self) -> bytes:
        """What stands after the last blank line."""
        return self._clean(bytes(self._buffer))

    def _whole_events(self, searched: int) -> Iterator[bytes]:
        begin = 0
        for blank in _BLANK_LINE.finditer(self._buffer, searched):
            yield self._clean(bytes(self._buffer[begin : blank.start()]))
            begin = blank.end()
        if begin:
            self._after_cr = begin == len(self._buffer) and self._buffer[-1:] == b"\r"
            del self._buffer[:begin]

    def _clean(self, event: bytes) -> bytes:
        if event.count(b"\n") + event.count(b"\r") > MAX_EVENT_LINES:
            # The parser grows quadratically with them.
            raise ProtocolError(f"an event of more than {MAX_EVENT_LINES} lines")
        if b"\r" in event:
            event = _LINE_END.sub(b"\n", event)
        try:
            event.decode()
        except UnicodeDecodeError:
            self._warn("the answer had bytes that are not UTF-8; they became U+FFFD")
            event = event.decode("utf-8", "replace").encode()
        return event + b"\n\n"


def _until_lost(blocks: Iterable[bytes]) -> Iterator[bytes | LlmcliError]:
    """The blocks, and last the error that ended them: what came before it still counts."""
    try:
        yield from blocks
    except LlmcliError as error:
        yield error


def _significant(rest: bytes) -> list[bytes]:
    """The lines that are neither empty nor comments."""
    return [line for line in rest.split(b"\n") if line and not line.startswith(b":")]

"""Bytes into events. sseclient-py is the parser; what it is given is made safe first.

sseclient-py reads an unterminated last event as whole, misses mixed line ends, keeps a byte order
mark, raises on invalid UTF-8 and grows quadratically on a large event in small pieces. So the end
of each event is found in the bytes here, and the parser gets whole, clean events only.
"""

from collections.abc import Callable, Iterable, Iterator

from sseclient import Event as Event
from sseclient import SSEClient

from llmcli.errors import LlmcliError, ProtocolError, Truncated

MAX_EVENT_BYTES = 128 * 2**20
MAX_EVENT_LINES = 20_000

Warn = Callable[[str], None]
_BLANK_LINE = b"\n\n"
_BOM = b"\xef\xbb\xbf"


def _ignore(_warning: str) -> None:
    pass


def batches(blocks: Iterable[bytes], warn: Warn = _ignore) -> Iterator[list[bytes]]:
    """The events of a stream cut into blocks at any place (WHATWG HTML, section 9.2.6), to be
    `parsed` each; those that are whole with a block together.

    Raises Truncated if the stream ends inside an event, ProtocolError if one is too large.
    """
    splitter = _Splitter(warn)
    lost: LlmcliError | None = None
    for block in _until_lost(blocks):
        if isinstance(block, LlmcliError):
            lost = block
            continue
        found: list[bytes] = []
        try:
            for events in splitter.feed(block):
                found += events
        except ProtocolError:
            yield found
            raise
        if found:
            yield found
    rest = _significant(splitter.rest())
    if rest in ([b"data: [DONE]"], [b"data:[DONE]"]):
        yield rest  # says all, even without its line end
    elif rest or lost:
        error = lost or Truncated("the stream ended inside an event", transient=True)
        raise error.replaced(inside_event=bool(rest))


def parsed(event: bytes) -> Iterator[Event]:
    """One, or none where it has no data."""
    # A parser of its own, as one that waits for more holds six copies of a large event.
    parser = SSEClient(iter((event,)))
    return parser.events()


class _Splitter:
    """Finds where events end; every byte is searched once, however the stream was cut."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._buffer = bytearray()
        self._at_start = True
        self._after_cr = False

    def feed(self, block: bytes) -> Iterator[list[bytes]]:
        """The events that are whole with `block`, without their blank lines. The event that had
        begun before is apart from the others, as it may be a large one."""
        begun = len(self._buffer)
        self._buffer += self._with_line_feeds(block)
        if self._at_start:
            if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
                return
            self._at_start = False
            if self._buffer.startswith(_BOM):
                del self._buffer[: len(_BOM)]
                begun = 0
        # The blank line may have begun with the last byte that was there.
        first = self._buffer.find(_BLANK_LINE, max(begun - 1, 0))
        if first >= 0:
            last = self._buffer.rfind(_BLANK_LINE)
            if begun:
                yield from self._take(first)
                last -= first + len(_BLANK_LINE)
            if last >= 0:
                yield from self._take(last)
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise ProtocolError(f"a line longer than {MAX_EVENT_BYTES // 2**20} MiB")

    def rest(self) -> bytes:
        """What stands after the last blank line."""
        return self._clean(bytes(self._buffer))

    def _with_line_feeds(self, block: bytes) -> bytes:
        if self._after_cr and block:
            # The LF of a CRLF that was cut in two has its line end already.
            block = block.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in block:
            self._after_cr = block.endswith(b"\r")
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return block

    def _take(self, end: int) -> Iterator[list[bytes]]:
        with memoryview(self._buffer) as view:
            whole = bytes(view[:end])
        del self._buffer[: end + len(_BLANK_LINE)]
        events = self._clean(whole).split(_BLANK_LINE)
        if whole.count(b"\n") <= MAX_EVENT_LINES:
            yield events
            return
        for event in events:
            if event.count(b"\n") > MAX_EVENT_LINES:
                # The parser grows quadratically with them.
                raise ProtocolError(f"an event of more than {MAX_EVENT_LINES} lines")
            yield [event]

    def _clean(self, events: bytes) -> bytes:
        if events.isascii():
            return events
        try:
            events.decode()
        except UnicodeDecodeError:
            self._warn("the answer had bytes that are not UTF-8; they became U+FFFD")
            events = events.decode("utf-8", "replace").encode()
        return events


def _until_lost(blocks: Iterable[bytes]) -> Iterator[bytes | LlmcliError]:
    """The blocks, and last the error that ended them: what came before it still counts."""
    try:
        yield from blocks
    except LlmcliError as error:
        yield error


def _significant(rest: bytes) -> list[bytes]:
    """The lines that are neither empty nor comments."""
    return [line for line in rest.split(b"\n") if line and not line.startswith(b":")]

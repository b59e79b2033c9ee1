"""The splitting of an event stream into events, each of which sseclient-py parses.

By itself sseclient-py 1.9 takes an unfinished last event for a whole one, does not see event ends
of mixed line ends, keeps a byte order mark, raises on invalid UTF-8, and takes quadratic time for a
large event in small pieces. So the ends of events are found here, and the parser gets whole ones.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from llmcli.backends.http.reply import one_line_events
from llmcli.errors import LlmcliError, ProtocolError, Truncated
from llmcli.system.text import BOM

# Far more than any answer has; the limit keeps a server from filling the memory.
MAX_EVENT_BYTES = 128 * 2**20
# The parser takes quadratic time in the number of lines.
MAX_EVENT_LINES = 20_000

# Shows a warning to the user.
Warn = Callable[[str], None]
_BLANK_LINE = b"\n\n"
_ERROR = b"error:"
# The event after which nothing comes, and the bytes that it may have with blanks around.
_END = b"data: [DONE]"
_LONGEST_END = 32
_DATA, _DONE = b"data:", b"[DONE]"
# Fields that may stand beside it, and that say nothing.
_BESIDE = (b"id:", b"event:", b"retry:")


class Event(NamedTuple):
    """The name of an event, "message" where the server gave none, and its data."""

    name: str
    data: str


def _ignore(_warning: str) -> None:
    pass


def batches(blocks: Iterable[bytes], warn: Warn = _ignore) -> Iterator[list[bytes]]:
    """Split a stream, which may be cut into blocks anywhere, into events (WHATWG HTML, 9.2.6).

    Yields, for each block, the list of the events that end in it, as bytes for `parsed`. Raises
    Truncated if the stream ends inside an event other than [DONE], ProtocolError if an event is too
    large, and what `blocks` raises, after the events that came before. `inside_event` of an error
    tells whether the stream broke off within such an event.
    """
    splitter = _Splitter(warn)
    lost: LlmcliError | None = None
    for block in _until_lost(blocks):
        if isinstance(block, LlmcliError):
            lost = block
            continue
        batch: list[bytes] = []
        try:
            for events in splitter.feed(block):
                batch += events
        except ProtocolError:
            yield batch
            raise
        if splitter.holds_end():
            yield [*batch, _END]
            return
        if batch:
            yield batch
    rest = _significant(splitter.rest())
    if len(rest) == 1 and (_is_end(rest[0]) or _is_error(rest[0])):
        yield rest  # unmistakable, even without the line end and blank line
    elif (rest and not _begins_end(rest)) or lost:
        error = lost or Truncated("the stream ended inside an event", transient=True)
        raise error.replaced(inside_event=bool(rest) and not _begins_end(rest))


def parsed(event: bytes) -> Event | None:
    """Return what the bytes of one event say; None if it has no data."""
    data = one_line_events.data(event)
    if data is not None:
        return Event("message", data)
    from sseclient import SSEClient  # noqa: PLC0415  # most answers have no event for it

    # A new parser each time: one that waits for more input holds six copies of a large event.
    found = next(SSEClient(iter((event,))).events(), None)
    return Event(found.event, found.data) if found else None


def error_field(event: bytes) -> str | None:
    """Return the value of the field `error` in the bytes of one event; None if it has none.

    Servers by llama.cpp of before 2025 send what went wrong in a field of that name.
    """
    if _ERROR not in event:
        return None
    lines = [line for line in event.split(b"\n") if line.startswith(_ERROR)]
    return lines[0].removeprefix(_ERROR).decode().strip() if lines else None


def _is_error(line: bytes) -> bool:
    """Return whether `line` is a whole field `error`."""
    value = line.removeprefix(_ERROR).strip()
    return line.startswith(_ERROR) and value.startswith(b"{") and value.endswith(b"}")


class _Splitter:
    """A buffer that finds the ends of events; it searches each byte once, in whatever blocks."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._buffer = bytearray()
        self._at_start = True
        self._after_cr = False

    def feed(self, block: bytes) -> Iterator[list[bytes]]:
        """Add `block` and yield the events that end in it, without their blank lines.

        The event that began in an earlier block comes in a list of its own: it may be so large that
        copying it together with others would cost too much. Raises ProtocolError if an event is
        too large.
        """
        begun = len(self._buffer)
        self._buffer += self._with_line_feeds(block)
        if self._at_start:
            if len(self._buffer) < len(BOM) and BOM.startswith(self._buffer):
                return
            self._at_start = False
            if self._buffer.startswith(BOM):
                del self._buffer[: len(BOM)]
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
            limit = f"{MAX_EVENT_BYTES // 2**20} MiB"
            raise ProtocolError(f"the server sent an event with a line longer than {limit}")

    def holds_end(self) -> bool:
        """Return True if the end of the answer has come, with its line end but no blank line.

        Some servers wait then for the client to close the connection.
        """
        if len(self._buffer) > _LONGEST_END or not self._buffer.endswith(b"\n"):
            return False
        return _is_end(bytes(self._buffer[:-1]))

    def rest(self) -> bytes:
        """Return what came after the last blank line."""
        return self._clean(bytes(self._buffer))

    def _with_line_feeds(self, block: bytes) -> bytes:
        """Return `block` with every CR and CRLF replaced by LF."""
        if self._after_cr and block:
            # The block before ended between CR and LF; the CR has become a line end already.
            block = block.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in block:
            self._after_cr = block.endswith(b"\r")
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return block

    def _take(self, end: int) -> Iterator[list[bytes]]:
        """Remove the first `end` bytes and the blank line after them, and yield their events."""
        with memoryview(self._buffer) as view:
            whole = bytes(view[:end])
        del self._buffer[: end + len(_BLANK_LINE)]
        events = self._clean(whole).split(_BLANK_LINE)
        if whole.count(b"\n") <= MAX_EVENT_LINES:
            yield events
            return
        for event in events:
            if event.count(b"\n") > MAX_EVENT_LINES:
                raise ProtocolError(
                    f"the server sent an event of more than {MAX_EVENT_LINES} lines"
                )
            yield [event]

    def _clean(self, events: bytes) -> bytes:
        """Return `events` with invalid UTF-8 replaced by U+FFFD, and warn if there was any."""
        if events.isascii():
            return events
        try:
            events.decode()
        except UnicodeDecodeError:
            self._warn("the answer had bytes that are not UTF-8; they became U+FFFD")
            events = events.decode("utf-8", "replace").encode()
        return events


def _until_lost(blocks: Iterable[bytes]) -> Iterator[bytes | LlmcliError]:
    """Yield the blocks and, as the last item, the error that ended them if there was one.

    What came before the error still counts, so the error must not end the loop over the blocks.
    """
    try:
        yield from blocks
    except LlmcliError as error:
        yield error


def _is_end(line: bytes) -> bool:
    return line.startswith(_DATA) and line[len(_DATA) :].strip() == _DONE


def _begins_end(lines: list[bytes]) -> bool:
    """Return whether `lines`, which have no blank line after them, are a beginning of `_END`.

    A stream that breaks off there has lost nothing of the answer.
    """
    *fields, line = lines
    if not all(field.startswith(_BESIDE) and b"error" not in field for field in fields):
        return False
    begun = line.startswith(_DATA) and _DONE.startswith(line[len(_DATA) :].strip())
    return begun or _DATA.startswith(line)


def _significant(rest: bytes) -> list[bytes]:
    """Return the lines of `rest` that are neither empty nor comments."""
    return [line for line in rest.split(b"\n") if line and not line.startswith(b":")]

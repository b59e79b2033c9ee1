"""A reply's head and bytes as chunks, or as the error that it really is."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from llmcli.api import errors
from llmcli.api.trace import Trace
from llmcli.api.types import DONE, Chunk
from llmcli.backends.http import sse
from llmcli.backends.http.repeated_events import PlainEvents
from llmcli.errors import LlmcliError, ProtocolError, Truncated
from llmcli.system.dataclass import dataclass
from llmcli.system.text import one_line

_ERROR_BODY = 65536
_EVENT_START = (b"data", b"event", b"id", b"retry", b":")
_LONGEST_FIELD = 5
# Events, of which one is learned with profit to the others.
_MANY = 4
_BOM = b"\xef\xbb\xbf"
# NaN and Infinity, which are no JSON, are read as such, and said where an amount is meant; they are
# written as null. Made once, as that takes longer than its use.
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Head:
    status: int
    headers: Mapping[str, str]


def check_head(head: Head, blocks: Iterator[bytes], redact: Callable[[str], str]) -> None:
    """Raises unless the reply is one to be read as an answer."""
    if 300 <= head.status < 400:
        raise ProtocolError(
            f"redirect to {one_line(head.headers.get('location', 'nowhere'), 200)} refused",
            hint="set base_url to where the endpoint really is",
            status=head.status,
        )
    encoding = head.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("identity", ""):
        raise ProtocolError(f"content-encoding {one_line(encoding, 40)} was not asked for")
    if not 200 <= head.status < 300:
        body = b""
        try:
            while len(body) < _ERROR_BODY and (block := next(blocks, b"")):
                body += block
        except LlmcliError:
            pass  # the status says enough
        shown = redact(body.decode("utf-8-sig", "replace")).encode()
        raise errors.from_response(head.status, head.headers, shown)


def chunks(blocks: Iterator[bytes], content_type: str, trace: Trace) -> Iterator[list[Chunk]]:
    """Events or one JSON object: decided by what came, not by what was asked for. Chunks that
    arrived together are given together."""
    start = b""
    for block in blocks:
        start += block
        if len(start.lstrip()) >= _LONGEST_FIELD:
            break
    text = start.removeprefix(_BOM).lstrip()
    kind = content_type.partition(";")[0].strip().lower()
    rest = _chain(start, blocks)
    if text[:1] in (b"{", b"["):
        yield from _whole(rest, trace)
    elif kind == "text/event-stream" or text.startswith(_EVENT_START):
        yield from _events(rest, trace)
    else:
        got = (kind or "no content type") if text else "an empty body"
        raise ProtocolError(
            f"expected text/event-stream, got {one_line(got, 80)}", hint="check base_url"
        )


def _chain(start: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from blocks


def _whole(blocks: Iterator[bytes], trace: Trace) -> Iterator[list[Chunk]]:
    value = parse_object(b"".join(bounded(blocks)), trace.redact, may_be_cut=True)
    inner = value.get("data")
    body = inner if isinstance(inner, dict) else value
    if "choices" not in body and errors.read_error(value) is None:
        raise ProtocolError("the reply is JSON but no completion", hint="check base_url")
    yield [value, DONE]


def bounded(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Raises ProtocolError beyond the size that an event may have."""
    size = 0
    for block in blocks:
        size += len(block)
        if size > sse.MAX_EVENT_BYTES:
            raise ProtocolError(f"a reply longer than {sse.MAX_EVENT_BYTES // 2**20} MiB")
        yield block


def _events(blocks: Iterator[bytes], trace: Trace) -> Iterator[list[Chunk]]:
    plain = PlainEvents(lambda event: _read(event, trace))
    for events in sse.batches(blocks, trace.warn):
        batch: list[Chunk] = []
        failure: ProtocolError | None = None
        try:
            for chunk in _joined(events, plain, trace):
                batch.append(chunk)
                if chunk is DONE:
                    break
        except ProtocolError as error:
            failure = error
        if batch:
            yield batch
        if failure:
            raise failure
        if batch and batch[-1] is DONE:
            return
        plain.learn()


def _joined(events: list[bytes], plain: PlainEvents, trace: Trace) -> Iterator[Chunk]:
    """Their chunks; plain ones that follow each other are one, unless they are to be told apart."""
    texts: list[bytes] = []
    for number, event in enumerate(events):
        text = plain.text(event)
        if text is not None:
            texts.append(text)
        if texts and (text is None or trace.one_by_one):
            yield plain.chunk(texts)
            texts = []
        for chunk in _read(event, trace) if text is None else ():
            plain.was_read(event, chunk)
            yield chunk
            if len(events) - number > _MANY:
                plain.learn()
    if texts:
        yield plain.chunk(texts)


def _read(event: bytes, trace: Trace) -> list[Chunk]:
    found = [_chunk(one, trace) for one in sse.parsed(event)]
    return [chunk for chunk in found if chunk is not None]


def _chunk(event: sse.Event, trace: Trace) -> Chunk | None:
    data: str = event.data.strip()
    if data == "[DONE]":
        return DONE
    if event.event == "error":
        return _error_event(data)
    if not data or data == "null":  # some servers keep alive by these
        return None
    try:
        value, end = _DECODER.raw_decode(data)
    except (ValueError, RecursionError):
        end = -1
    # What is no object, and only that, is looked at again: to say what it is.
    return value if end == len(data) and type(value) is dict else parse_object(data, trace.redact)


def _error_event(data: str) -> Chunk:
    """An event named `error` is one even if its data is plain text or has no `error` key."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = data
    return value if isinstance(value, dict) and value.get("error") else {"error": value}


def parse_object(
    text: str | bytes, redact: Callable[[str], str], may_be_cut: bool = False
) -> dict[str, Any]:
    """A JSON object.

    Raises ProtocolError, or Truncated for a whole body (`may_be_cut`) that ends too early.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "replace")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ProtocolError("a reply is nested too deeply") from None
    except json.JSONDecodeError as error:
        if may_be_cut and (error.pos >= len(text.rstrip()) or "Unterminated" in error.msg):
            raise Truncated("the reply ended inside its JSON", transient=True) from None
        raise ProtocolError(f"a reply is not JSON: {one_line(redact(text), 80)}") from None
    except ValueError as error:  # a number of too many digits
        raise ProtocolError(f"a reply cannot be read: {one_line(str(error), 80)}") from None
    if isinstance(value, list) and len(value) == 1 and errors.read_error(value[0]):
        value = value[0]
    if not isinstance(value, dict):
        raise ProtocolError(f"a reply is a {type(value).__name__}, not an object")
    return value

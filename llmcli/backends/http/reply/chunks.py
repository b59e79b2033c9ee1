"""The reading of a reply: its head is checked, and its body becomes chunks or an error."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from llmcli.api import errors
from llmcli.api.trace import Trace
from llmcli.api.types import DONE, Chunk
from llmcli.backends.http.reply import sse
from llmcli.backends.http.reply.encoding import decoded_body
from llmcli.backends.http.reply.received import Head
from llmcli.backends.http.reply.repeated_events import RepeatedEvents
from llmcli.errors import LlmcliError, ProtocolError, Truncated
from llmcli.system.text import BOM, one_line

# Bytes of an error's body that are read. Some quote the whole request before the reason.
_ERROR_BODY = 2**20
# How an event stream begins: with a field (WHATWG HTML, 9.2.6) or a comment.
_EVENT_START = (b"data", b"event", b"id", b"retry", b":")
_LONGEST_FIELD = 5
# If more events than these are still to be read, learning one saves more time than it takes.
_MANY = 4
# It also reads NaN and Infinity, which are not JSON (RFC 8259, section 6): where one stands for an
# amount a later step warns, and output has null for it. Making a decoder takes longer than one use.
_DECODER = json.JSONDecoder()


def check_head(head: Head, blocks: Iterator[bytes], redact: Callable[[str], str]) -> None:
    """Return if the reply has a status and an encoding with which it can be read as an answer.

    Raises ProtocolError for a redirect and for a content encoding, else the error that the status
    stands for, with what the server says in the body; `redact` masks secrets in that.
    """
    if 300 <= head.status < 400:
        raise _redirected(head)
    encoding = head.headers.get("content-encoding", "identity").lower()
    if not 200 <= head.status < 300:
        body = _error_body(blocks, encoding)
        shown = redact(body.decode("utf-8-sig", "replace")).encode()
        raise errors.from_response(head.status, head.headers, shown)
    # requests would decode it, but identity was asked for: see `endpoint.request_headers`.
    if encoding not in ("identity", ""):
        raise ProtocolError(f"content-encoding {one_line(encoding, 40)} was not asked for")


def _redirected(head: Head) -> ProtocolError:
    """Return the error for a reply of a status from 300 to 399."""
    if address := head.headers.get("location", ""):
        problem = f"redirect to {one_line(address, 200)} refused"
        hint = "set base_url to the address that the endpoint has now"
        return ProtocolError(problem, hint=hint, status=head.status)
    from http import HTTPStatus  # noqa: PLC0415  # most replies are no redirects

    known = head.status in {*HTTPStatus}
    name = f"{head.status} {HTTPStatus(head.status).phrase}" if known else str(head.status)
    problem, hint = "does not say where the endpoint is", "check base_url"
    if head.status == HTTPStatus.NOT_MODIFIED:
        problem, hint = "has no answer in it", "check base_url and any cache on the way"
    words = f"the server replies with HTTP {name}, which {problem}"
    return ProtocolError(words, hint=hint, status=head.status)


def _error_body(blocks: Iterator[bytes], encoding: str) -> bytes:
    """Return what the server says of an error, as far as it can be read.

    The status says what failed even where the body is lost, so nothing is raised.
    """
    body = b""
    try:
        while len(body) < _ERROR_BODY and (block := next(blocks, b"")):
            body += block
    except LlmcliError:
        pass  # the status alone says what failed
    return decoded_body(body, encoding)


def chunks(blocks: Iterator[bytes], content_type: str, trace: Trace) -> Iterator[list[Chunk]]:
    """Yield the chunks of the body, in lists of those that arrived together.

    The body may be an event stream or one JSON object. Its first bytes decide, since some servers
    send the one where the other was asked for, or name the wrong content type. Raises ProtocolError
    for anything else and for invalid JSON, Truncated if the body ends too early.
    """
    start = b""
    for block in blocks:
        start += block
        if len(start.lstrip()) >= _LONGEST_FIELD:
            break
    text = start.removeprefix(BOM).lstrip()
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
    """Yield `start`, which was read to see what the body is, and then the other blocks."""
    yield start
    yield from blocks


def _whole(blocks: Iterator[bytes], trace: Trace) -> Iterator[list[Chunk]]:
    value = parse_object(b"".join(bounded(blocks)), trace.redact, may_be_cut=True)
    # The default endpoint may wrap a completion: {"success": true, "data": {"choices": …}}.
    inner = value.get("data")
    body = inner if isinstance(inner, dict) else value
    if "choices" not in body and errors.read_error(value) is None:
        raise ProtocolError("the reply is JSON, but not a completion", hint="check base_url")
    yield [_with_message_only(value, body), DONE]


def _with_message_only(value: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return a whole reply without the `delta` that stands beside a `message`.

    Perplexity sends an empty one in each whole answer. In a stream it is the other way round: there
    the message repeats what the deltas said.
    """
    choices = body.get("choices")
    if not isinstance(choices, list):
        return value
    told = [
        {name: item for name, item in choice.items() if name != "delta"}
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict)
        else choice
        for choice in choices
    ]
    told_body = {**body, "choices": told}
    return told_body if body is value else {**value, "data": told_body}


def bounded(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield `blocks`. Raises ProtocolError once they are longer than an event may be."""
    size = 0
    for block in blocks:
        size += len(block)
        if size > sse.MAX_EVENT_BYTES:
            limit = f"{sse.MAX_EVENT_BYTES // 2**20} MiB"
            raise ProtocolError(f"the server sent a reply longer than {limit}")
        yield block


def _events(blocks: Iterator[bytes], trace: Trace) -> Iterator[list[Chunk]]:
    repeated = RepeatedEvents(lambda event: _read(event, trace))
    for events in sse.batches(blocks, trace.warn):
        batch: list[Chunk] = []
        # Raised only after the chunks that came before it were passed on.
        failure: ProtocolError | None = None
        try:
            for chunk in _joined(events, repeated, trace):
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
        # Here nothing waits: the reader has the chunks, and the next block has yet to arrive.
        repeated.learn()


def _joined(events: list[bytes], repeated: RepeatedEvents, trace: Trace) -> Iterator[Chunk]:
    """Yield the chunks of `events`; one for all repeated events that follow each other.

    With `trace.one_by_one`, which --events sets, each event has a chunk of its own.
    """
    texts: list[bytes] = []
    for number, event in enumerate(events):
        text = repeated.text(event)
        if text is not None:
            texts.append(text)
        if texts and (text is None or trace.one_by_one):
            yield repeated.chunk(texts)
            texts = []
        for chunk in _read(event, trace) if text is None else ():
            repeated.was_read(event, chunk)
            yield chunk
            if len(events) - number > _MANY:
                repeated.learn()
    if texts:
        yield repeated.chunk(texts)


def _read(event: bytes, trace: Trace) -> list[Chunk]:
    parsed = sse.parsed(event)
    chunk = _chunk(parsed, trace) if parsed else None
    found = [] if chunk is None else [chunk]
    error = sse.error_field(event)
    return found if error is None else [*found, _error_event(error)]


def _chunk(event: sse.Event, trace: Trace) -> Chunk | None:
    data: str = event.data.strip()
    if data == "[DONE]":
        return DONE
    if event.name == "error":
        return _error_event(data)
    if not data or data == "null":  # some servers keep the connection alive with these
        return None
    try:
        value, end = _DECODER.raw_decode(data)
    except (ValueError, RecursionError):
        end = -1
    # Only what is not an object is parsed a second time, by a function that says what is wrong.
    return value if end == len(data) and type(value) is dict else parse_object(data, trace.redact)


def _error_event(data: str) -> Chunk:
    """Return the chunk for an event named `error`, whose data may be plain text or any JSON."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = data
    return value if isinstance(value, dict) and value.get("error") else {"error": value}


def parse_object(
    text: str | bytes, redact: Callable[[str], str], *, may_be_cut: bool = False
) -> dict[str, Any]:
    """Return the JSON object that `text` is; of a list with nothing but an error, that error.

    Raises ProtocolError if `text` is not a JSON object; the message quotes it, with secrets masked
    by `redact`. With `may_be_cut`, raises Truncated if it only ends too early.
    """
    value = parse_value(text, redact, may_be_cut=may_be_cut)
    # Google's compatible endpoint sends an error as a list of one object.
    if isinstance(value, list) and len(value) == 1 and errors.read_error(value[0]):
        value = value[0]
    if not isinstance(value, dict):
        shown = one_line(redact(_as_text(text)), 80)
        raise ProtocolError(f"the server sent JSON that is not an object: {shown}")
    return value


def _as_text(text: str | bytes) -> str:
    return text.decode("utf-8-sig", "replace") if isinstance(text, bytes) else text


def parse_value(
    text: str | bytes, redact: Callable[[str], str], *, may_be_cut: bool = False
) -> Any:
    """Return the JSON value that `text` is. Raises as `parse_object` does."""
    text = _as_text(text)
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ProtocolError("the server sent JSON that is nested too deeply") from None
    except json.JSONDecodeError as error:
        if may_be_cut and (error.pos >= len(text.rstrip()) or "Unterminated" in error.msg):
            raise Truncated("the reply ended inside its JSON", transient=True) from None
        shown = one_line(redact(text), 80)
        raise ProtocolError(f"the server sent text that is not JSON: {shown}") from None
    except ValueError as error:  # an integer of more digits than Python converts
        reason = one_line(str(error), 80)
        raise ProtocolError(f"cannot read the JSON that the server sent: {reason}") from None

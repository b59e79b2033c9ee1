"""One attempt: send a request, receive its answer, and raise if the answer is not whole."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llmcli.api.reply import cost as pricing
from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.completion import CUT, Completion
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.stream import Stream
from llmcli.chat.call import Call
from llmcli.errors import (
    ConnectionLost,
    LlmcliError,
    NetworkError,
    NoModel,
    ProtocolError,
    ServerError,
    TimedOut,
    Truncated,
    WriteError,
)
from llmcli.system.suggestions import did_you_mean
from llmcli.system.text import one_line

if TYPE_CHECKING:
    from llmcli.chat.observer import Observer

# Characters: about 500 of the server's own words, and what is said around them.
_LONGEST_MESSAGE = 560


def complete(
    stream: Stream,
    request: ChatRequest,
    call: Call,
    observer: "Observer",
    *,
    accepts_cut: Callable[[str], bool],
    check_calls: bool = True,
) -> Completion:
    """Send `request` once and return the whole answer, which `observer` sees as it arrives.

    `accepts_cut` says of a text that ends at its length limit whether it is good. `check_calls`
    raises ToolError for a tool call that has no name or whose arguments are not a JSON object.

    Raise the LlmcliError that kept the answer from being whole. Its message has no secrets, and its
    `about` may name the model, the request id and the number of attempts. A stream that breaks
    before the answer began raises NetworkError or ServerError rather than Truncated.
    """
    try:
        _receive(stream(request), call, observer)
        cut = (call.accumulator.finish_reason or "").lower() in CUT
        allow_cut = cut and accepts_cut(call.accumulator.text)
        completion = call.accumulator.completion(allow_cut=allow_cut, check_calls=check_calls)
    except LlmcliError as error:
        raise _described(_before_answer(error, call.accumulator), call) from None
    finally:
        call.bill.response_cost = call.trace.response_cost
    for warning in [*completion.warnings(), *pricing.invalid_amounts(call.accumulator.usage)]:
        call.trace.warn(warning)
    return completion


def _receive(
    batches: Iterator[list[Chunk]],
    call: Call,
    observer: "Observer",
) -> None:
    """Add each chunk to the accumulator of `call` and show what it adds.

    A batch holds the chunks that arrived together. Raise what the stream raises, and the error
    that a chunk reports.
    """
    accumulator = call.accumulator
    try:
        for chunks in batches:
            for chunk in chunks:
                delta = accumulator.add(chunk)
                if delta.text or delta.reasoning or delta.tool_calls:
                    if call.trace.first_token is None:
                        _mark_first(call.trace)
                    observer.show(delta)
                # After `show`, since a chunk can hold a last piece of the answer beside its error.
                if accumulator.error:
                    observer.flush()
                    raise accumulator.error
            observer.flush()
    except (TimedOut, Truncated) as error:
        # After a finish_reason only usage and [DONE] follow: the answer is whole, unless the stream
        # broke inside an event, of which nobody knows what it was.
        whole = accumulator.finish_reason and not accumulator.resumed
        if not whole or error.inside_event:
            raise
        call.trace.warn(f"{error.message} after the end of the answer")


def _before_answer(error: LlmcliError, accumulator: Accumulator) -> LlmcliError:
    """Return `error`, or another error for a stream that broke before the answer began."""
    if not isinstance(error, Truncated) or accumulator.begun:
        return error
    kind = NetworkError if isinstance(error, ConnectionLost) else ServerError
    return kind(f"{error.message}; nothing of the answer had come", transient=True)


def _described(error: LlmcliError, call: Call) -> LlmcliError:
    """Return `error` redacted, on one line, with how much came and with what it is about."""
    message = error.message
    if isinstance(error, (TimedOut, Truncated)) and (received := call.accumulator.chars):
        message += f" after {received} chars"
    # Redacted before it is shortened: a key that was cut in half would not be recognised.
    message = one_line(call.redact(message), _LONGEST_MESSAGE)
    return error.replaced(message=message, about=_about(error, call), hint=_hint(error, call))


def _about(error: LlmcliError, call: Call) -> str | None:
    """Return the model, request id and number of attempts that a message needs; else None."""
    attempts, words = call.trace.attempts, []
    # The other errors are described in our own words, which say all there is to know.
    said_by_server = not isinstance(error, (TimedOut, Truncated, ProtocolError, WriteError))
    if said_by_server and attempts and attempts[-1]["status"] is not None:
        words.append(f"model {call.model}")
        if call.trace.request_id:
            words.append(f"request id {call.trace.request_id}")
    if (tried := call.trace.attempts_of_turn()) > 1:
        words.append(f"{tried} attempts")
    return ", ".join(words) or None


def _hint(error: LlmcliError, call: Call) -> str | None:
    """Return the models whose ids are like an unknown one, else the error's own hint."""
    if not isinstance(error, NoModel) or not call.model:
        return error.hint
    return did_you_mean(call.model, call.known_models(), most=3, likeness=0.5) or error.hint


def _mark_first(trace: Trace) -> None:
    trace.first_token = time.monotonic()
    trace.log(f"first token after {trace.first_token - trace.started:.3f} s")

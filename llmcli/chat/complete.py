"""One request made and its answer received: whole, or as the failure that it is."""

import time
from collections.abc import Iterator

from llmcli.api import usage as pricing
from llmcli.api.accumulator import Accumulator
from llmcli.api.completion import Completion
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.stream import Stream
from llmcli.chat.call import Call
from llmcli.chat.observer import Observer
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

_LONGEST_MESSAGE = 560


def complete(
    stream: Stream,
    request: ChatRequest,
    call: Call,
    observer: Observer,
    *,
    allow_cut: bool,
    check_calls: bool = True,
) -> Completion:
    """Return the whole answer, which `observer` sees as it arrives. Raise what kept it from being
    whole, in words that say of which model and request it is."""
    try:
        _receive(stream(request), call, observer)
        completion = call.accumulator.completion(allow_cut=allow_cut, check_calls=check_calls)
    except LlmcliError as error:
        raise _described(_before_answer(error, call.accumulator), call) from None
    for warning in [*completion.warnings(), *pricing.invalid_amounts(call.accumulator.usage)]:
        call.trace.warn(warning)
    return completion


def _receive(
    batches: Iterator[list[Chunk]],
    call: Call,
    observer: Observer,
) -> None:
    accumulator = call.accumulator
    try:
        for chunks in batches:
            for chunk in chunks:
                delta = accumulator.add(chunk)
                if delta.text or delta.reasoning or delta.tool_calls:
                    if call.trace.first_token is None:
                        _mark_first(call.trace)
                    observer.show(delta)
                if accumulator.error:
                    observer.flush()
                    raise accumulator.error
            observer.flush()
    except (TimedOut, Truncated) as error:
        # The answer had its end already; only the stream's was still to come.
        whole = accumulator.finish_reason and not accumulator.resumed
        if not whole or error.inside_event:
            raise
        call.trace.warn(f"{error.message} after the end of the answer")


def _before_answer(error: LlmcliError, accumulator: Accumulator) -> LlmcliError:
    """A stream that broke before anything of an answer came is no answer broken off."""
    if not isinstance(error, Truncated) or accumulator.begun:
        return error
    kind = NetworkError if isinstance(error, ConnectionLost) else ServerError
    return kind(f"{error.message}; nothing of the answer had come", transient=True)


def _described(error: LlmcliError, call: Call) -> LlmcliError:
    """Return `error` with the model, request and attempt that it is of, and with how much of the
    answer came before it."""
    message = error.message
    if isinstance(error, (TimedOut, Truncated)) and (came := call.accumulator.chars):
        message += f" after {came} chars"
    # First without secrets, then short: a key cut in half would not be recognised.
    message = one_line(call.redact(message), _LONGEST_MESSAGE)
    return error.replaced(message=message, about=_about(error, call), hint=_hint(error, call))


def _about(error: LlmcliError, call: Call) -> str | None:
    attempts, words = call.trace.attempts, []
    in_words_of_server = not isinstance(error, (TimedOut, Truncated, ProtocolError, WriteError))
    if in_words_of_server and attempts and attempts[-1]["status"] is not None:
        words.append(f"model {call.model}")
        if call.trace.request_id:
            words.append(f"request id {call.trace.request_id}")
    if (tried := call.trace.attempts_of_turn()) > 1:
        words.append(f"{tried} attempts")
    return ", ".join(words) or None


def _hint(error: LlmcliError, call: Call) -> str | None:
    """Return the models with names near to one that is unknown, else the error's own hint."""
    if not isinstance(error, NoModel) or not call.model:
        return error.hint
    return did_you_mean(call.model, call.known_models(), most=3, likeness=0.5) or error.hint


def _mark_first(trace: Trace) -> None:
    trace.first_token = time.monotonic()
    trace.log(f"first token after {trace.first_token - trace.started:.3f} s")

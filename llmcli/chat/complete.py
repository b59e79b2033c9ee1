"""One attempt: send a request, receive its answer, and raise if the answer is not whole."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmcli.api.reply import cost as pricing
from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.completion import Completion, Delta
from llmcli.api.reply.judgement import Demands, judge
from llmcli.api.request import choices_of, token_limit
from llmcli.api.trace import INCOMPLETE, Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.stream import Stream
from llmcli.chat.call import Call
from llmcli.errors import (
    AnswerCut,
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
    demands: Demands,
) -> Completion:
    """Send `request` once and return the whole answer, which `observer` sees as it arrives.

    `demands` says what a good answer is.

    Raise the LlmcliError that kept the answer from being whole. Its message has no secrets, and its
    `about` may name the model, the request id and the number of attempts. A stream that breaks
    before the answer began raises NetworkError or ServerError rather than Truncated.
    """
    try:
        _receive(stream(request), call, observer)
        completion = call.accumulator.completion()
        judge(completion, demands, choices_of(request))
    except AnswerCut as error:
        raise _described(error.replaced(hint=_about_cut(request, call)), call) from None
    except LlmcliError as error:
        raise _described(_before_answer(error, call.accumulator), call) from None
    finally:
        call.bill.response_cost = call.trace.response_cost
    warnings = [*completion.warnings(), *_missing(completion, choices_of(request))]
    if demands.text and completion.first.images:
        warnings.append("the answer has images beside its text; --json has them")
    for warning in [*warnings, *pricing.invalid_amounts(call.accumulator.usage)]:
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
                _show(accumulator.add(chunk), call.trace, observer)
                # After `show`, since a chunk can hold a last piece of the answer beside its error.
                if accumulator.error:
                    observer.flush()
                    raise accumulator.error
            observer.flush()
    except (TimedOut, Truncated) as error:
        # After a finish_reason only usage and [DONE] follow: the answer is whole, unless the stream
        # broke inside an event, of which nobody knows what it was.
        if not accumulator.whole or error.inside_event:
            raise
        what = error.message.removesuffix(f": {INCOMPLETE}")
        call.trace.warn(f"{what} after the end of the answer, which is whole")
    finally:  # what was held back counts as well if a signal ends the run
        _show(accumulator.end(), call.trace, observer)
    observer.flush()


def _show(deltas: list[Delta], trace: Trace, observer: "Observer") -> None:
    for delta in deltas:
        if delta.text or delta.reasoning or delta.tool_calls:
            if trace.first_token is None:
                _mark_first(trace)
            observer.show(delta)


def _before_answer(error: LlmcliError, accumulator: Accumulator) -> LlmcliError:
    """Return `error`, or another error for a stream that broke before the answer began."""
    if not isinstance(error, Truncated) or accumulator.begun:
        return error
    kind = NetworkError if isinstance(error, ConnectionLost) else ServerError
    return kind(f"{error.message}; nothing of the answer had come", transient=True)


def _described(error: LlmcliError, call: Call) -> LlmcliError:
    """Return `error` redacted, on one line, with how much came and with what it is about."""
    message = error.message
    if isinstance(error, (TimedOut, Truncated)):
        if received := call.accumulator.chars:
            message += f" after {received} chars"
        elif call.accumulator.thought:
            message += "; only reasoning had come"
    # Redacted before it is shortened: a key that was cut in half would not be recognised.
    message = one_line(call.redact(message), _LONGEST_MESSAGE)
    return error.replaced(message=message, about=_about(error, call), hint=_hint(error, call))


def _about(error: LlmcliError, call: Call) -> str | None:
    """Return the model, request id and number of attempts that a message needs; else None."""
    attempts, words = call.trace.attempts, []
    # The other errors are described in our own words, which say all there is to know.
    said_by_server = not isinstance(error, (TimedOut, Truncated, ProtocolError, WriteError))
    said_by_server = said_by_server and not error.of_proxy
    if said_by_server and attempts and attempts[-1]["status"] is not None:
        words.append(f"model {call.model}")
        if call.trace.request_id:
            words.append(f"request id {call.trace.request_id}")
    if (tried := call.trace.attempts_of_turn()) > 1:
        words.append(f"{tried} attempts")
    return ", ".join(words) or None


def _missing(completion: Completion, choices: int) -> list[str]:
    """Return a warning if fewer choices came than were asked for: some servers give one only."""
    came = len(completion.choices)
    return [f"the server sent {came} of {choices} choices"] if came < choices else []


def _about_cut(request: ChatRequest, call: Call) -> str:
    """Return what helps against an answer that was cut: never what was done already.

    An answer that --allow-cut would accept is not rejected if that was given.
    """
    limit = token_limit(request)
    hint = "give --max-tokens" if limit is None else f"raise --max-tokens, which was {limit}"
    answer = call.accumulator.completion().first
    acceptable = answer.chars and not answer.tool_calls
    return hint + (", or accept it with --allow-cut" if acceptable else "")


def _hint(error: LlmcliError, call: Call) -> str | None:
    """Return the models whose ids are like an unknown one, else the error's own hint."""
    if not isinstance(error, NoModel) or not call.model:
        return error.hint
    # A server that lists a model may refuse to let this key use it.
    others = [name for name in call.known_models() if name != call.model]
    return did_you_mean(call.model, others, most=3, likeness=0.5) or error.hint


def _mark_first(trace: Trace) -> None:
    trace.first_token = time.monotonic()
    trace.log(f"first token after {trace.first_token - trace.started:.3f} s")

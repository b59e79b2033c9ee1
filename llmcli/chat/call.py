"""One call of a model: which it is, how it goes, what has come of it; and how it is completed."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from llmcli.api import usage as pricing
from llmcli.api.accumulator import Accumulator
from llmcli.api.completion import Completion, Delta
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk, ToolCall
from llmcli.backends.stream import Stream
from llmcli.errors import (
    ExitCode,
    LlmcliError,
    NetworkError,
    NoModel,
    ProtocolError,
    ServerError,
    TimedOut,
    Truncated,
    WriteError,
)
from llmcli.spending.bill import Bill, Turn
from llmcli.system.dataclass import dataclass, field
from llmcli.system.text import one_line

_LONGEST_MESSAGE = 560


@dataclass
class Call:
    """One run of requests for one answer.

    `shape` is what the answer was read as, for the object of --json; `exit_code` what a good
    answer means; `open_calls` are those for the caller, with the ids that results refer to.
    """

    trace: Trace
    bill: Bill = field(default_factory=Bill)
    model: str | None = None
    tag: str | None = None
    session: str | None = None
    known_models: Callable[[], list[str]] = list
    redact: Callable[[str], str] = str
    shape: dict[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.OK
    open_calls: list[ToolCall] = field(default_factory=list)

    @property
    def accumulator(self) -> Accumulator:
        """Return the answer of this attempt as far as it has come."""
        return self.bill.accumulator

    def next_turn(self) -> Turn:
        """End this turn and return it; the next begins."""
        self.trace.begin_turn()
        return self.bill.next_turn()

    def discard(self) -> None:
        """Forget an attempt but for what it cost."""
        self.trace.discard(self.bill.discard())
        if not self.bill.turns:
            self.trace.first_token = None


def _nothing() -> None:
    pass


def complete(
    stream: Stream,
    request: ChatRequest,
    call: Call,
    show: Callable[[Delta], None],
    allow_cut: bool,
    check_calls: bool = True,
    flush: Callable[[], None] = _nothing,
) -> Completion:
    """Show the answer as it arrives, and `flush` once no more of it is there yet; return it whole.
    Raises what kept it from being whole."""
    try:
        _receive(stream(request), call, show, flush)
        completion = call.accumulator.completion(allow_cut, check_calls)
    except LlmcliError as raised:
        error = _before_answer(raised, call.accumulator)
        _describe(error, call)
        raise error from None
    for warning in [*completion.warnings(), *pricing.flaws(call.accumulator.usage)]:
        call.trace.warn(warning)
    return completion


def _receive(
    batches: Iterator[list[Chunk]],
    call: Call,
    show: Callable[[Delta], None],
    flush: Callable[[], None],
) -> None:
    accumulator = call.accumulator
    try:
        for chunks in batches:
            for chunk in chunks:
                delta = accumulator.add(chunk)
                if delta.text or delta.reasoning or delta.tool_calls:
                    if call.trace.first_token is None:
                        _mark_first(call.trace)
                    show(delta)
                if accumulator.error:
                    flush()
                    raise accumulator.error
            flush()
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
    kind = NetworkError if error.lost else ServerError
    return kind(f"{error.message}; nothing of the answer had come", transient=True)


def _describe(error: LlmcliError, call: Call) -> None:
    """Say of which model, request and attempt the error is, and how much came before it."""
    attempts = call.trace.attempts
    words = []
    partial = isinstance(error, (TimedOut, Truncated)) and call.accumulator.chars
    if partial:
        error.message += f" after {partial} chars; partial answer kept"
    in_words_of_server = not isinstance(error, (TimedOut, Truncated, ProtocolError, WriteError))
    if in_words_of_server and attempts and attempts[-1]["status"] is not None:
        words.append(f"model {call.model}")
        if call.trace.request_id:
            words.append(f"request id {call.trace.request_id}")
    if (tried := call.trace.attempts_of_turn()) > 1:
        words.append(f"{tried} attempts")
    error.about = ", ".join(words) or None
    # First without secrets, then short: a key cut in half would not be recognised.
    error.message = one_line(call.redact(error.message), _LONGEST_MESSAGE)
    if isinstance(error, NoModel) and call.model:
        from difflib import get_close_matches

        near = get_close_matches(call.model, call.known_models(), 3, cutoff=0.5)
        if near:
            error.hint = f"did you mean {' or '.join(near)}?"


def _mark_first(trace: Trace) -> None:
    trace.first_token = time.monotonic()
    trace.log(f"first token after {trace.first_token - trace.started:.3f} s")

"""One call of a model, as far as it has come: what was received, what it cost, how it went."""

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from llmcli.api import usage as pricing
from llmcli.api.accumulator import Accumulator, Completion, Delta
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk, ToolCall, Usage
from llmcli.api.usage import Cost, Price, total
from llmcli.backends.stream import Stream
from llmcli.errors import (
    ExitCode,
    Interrupted,
    LlmcliError,
    NetworkError,
    NoModel,
    ProtocolError,
    ServerError,
    TimedOut,
    Truncated,
    WriteError,
)
from llmcli.system.dataclass import dataclass, field
from llmcli.system.text import one_line

_LONGEST_MESSAGE = 560


@dataclass(frozen=True)
class Turn:
    """One request of a run and its answer, after all attempts."""

    finish_reason: str | None
    usage: Usage | None
    cost: Cost
    tool_calls: list[str]  # the names of the tools

    def report(self) -> dict[str, Any]:
        return {
            "finish_reason": self.finish_reason,
            "usage": self.usage,
            "cost_usd": None if self.cost.usd is None else float(self.cost.usd),
            "cost_source": self.cost.source,
            "tool_calls": self.tool_calls,
        }


@dataclass
class Call:
    """`local`: the model runs in this process and costs nothing. `discarded`: the usage of
    attempts that were tried again; it was billed, so it counts. `turns`: those before this one.
    `shape`: what the answer was read as, for the object of --json; `exit_code`: what a good
    answer means; `open_calls`: those for the caller, with the ids that results refer to."""

    trace: Trace
    model: str | None = None
    local: bool = False
    price: Price | None = None
    tag: str | None = None
    session: str | None = None
    known_models: Callable[[], list[str]] = list
    redact: Callable[[str], str] = str
    discarded: list[Usage] = field(default_factory=list)
    accumulator: Accumulator = field(default_factory=Accumulator)
    turns: list[Turn] = field(default_factory=list)
    shape: dict[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.OK
    open_calls: list[ToolCall] = field(default_factory=list)
    attempts_before: int = 0  # of earlier turns

    def cost(self) -> Cost:
        """Of all turns; unknown if that of one is."""
        return self.cost_of(self.all_turns())

    def usage(self) -> Usage | None:
        """As the server sent it; of several turns the sum."""
        return self.usage_of(self.all_turns())

    def cost_of(self, turns: list[Turn]) -> Cost:
        if len(turns) == 1:
            return turns[0].cost
        known = [turn.cost.usd for turn in turns if turn.cost.usd is not None]
        if len(known) < len(turns):
            return pricing.UNKNOWN
        sources = {turn.cost.source for turn in turns if turn.cost.source}
        return Cost(sum(known, Decimal(0)), " and ".join(sorted(sources)) or None)

    def usage_of(self, turns: list[Turn]) -> Usage | None:
        return total([turn.usage for turn in turns if turn.usage])

    def all_turns(self) -> list[Turn]:
        """Those before and, unless nothing of it has come, this one."""
        begun = self.accumulator.begun or self.accumulator.usage or self.discarded
        return [*self.turns, self._turn()] if begun or not self.turns else self.turns

    def _turn(self) -> Turn:
        came = self.accumulator
        called = [call["function"]["name"] for call in came.tool_calls()]
        return Turn(came.finish_reason, came.usage, self._cost_of_turn(), called)

    def next_turn(self) -> Turn:
        """The turn that has ended; the next begins."""
        turn = self._turn()
        self.turns.append(turn)
        self.attempts_before = len(self.trace.attempts)
        self.discarded, self.accumulator = [], self.accumulator.anew()
        return turn

    def attempt_cost(self) -> Cost:
        """Of this attempt alone, as far as its usage says."""
        return pricing.LOCAL if self.local else pricing.cost(self.accumulator.usage, self.price)

    def _cost_of_turn(self) -> Cost:
        last = self.attempt_cost()
        costs = [pricing.cost(usage, self.price) for usage in self.discarded]
        earlier = [cost.usd for cost in costs if cost.usd]
        if not earlier:
            return last
        if last.usd is None and not self.accumulator.begun:
            return Cost(sum(earlier, Decimal(0)), "discarded attempts")
        if last.usd is None:
            return last
        return Cost(last.usd + sum(earlier), last.source)

    def discard(self) -> None:
        """Forget an attempt but for what it cost."""
        if self.accumulator.usage:
            self.discarded.append(self.accumulator.usage)
            self.trace.attempts[-1]["usage"] = self.accumulator.usage
        self.accumulator = self.accumulator.anew()
        if not self.turns:
            self.trace.first_token = None

    def report(self, error: LlmcliError | Interrupted | None) -> dict[str, Any]:
        """The object of --json: `chat.completion` with `error` and `llmcli` beside it."""
        completion, turns = self.accumulator.partial(), self.all_turns()
        return {
            **completion.extra,
            "id": completion.id,
            "object": "chat.completion",
            "created": completion.created,
            "model": completion.model or self.model,
            "choices": [
                {
                    **completion.choice_extra,
                    "index": 0,
                    "message": completion.message(),
                    "finish_reason": completion.finish_reason,
                }
            ],
            "usage": self.usage_of(turns),
            "error": self._redacted(self._error_object(error)),
            "llmcli": self._about(error, turns),
        }

    def _about(self, error: LlmcliError | Interrupted | None, turns: list[Turn]) -> dict[str, Any]:
        cost = self.cost_of(turns)
        return {
            "version": 1,
            "ok": error is None,
            "exit_code": int(error.exit_code if error else self.exit_code),
            "kind": error.kind if error else ExitCode.OK.kind,
            "request_id": self.trace.request_id,
            "cost_usd": None if cost.usd is None else float(cost.usd),
            "cost_source": cost.source,
            "attempts": self.trace.attempts,
            "retry_after": error.retry_after if error else None,
            "seconds": self.trace.seconds(),
            "turns": [turn.report() for turn in turns],
            "open_calls": self.open_calls,
            "session": self.session,
            "tag": self.tag,
            **self.shape,
        }

    def _redacted(self, value: Any) -> Any:
        """What a server said of a failure may hold the key that it was sent."""
        return None if value is None else json.loads(self.redact(json.dumps(value)))

    def _error_object(self, error: LlmcliError | Interrupted | None) -> dict[str, Any] | None:
        """The server's own code where it gave one, else the kind of failure."""
        if error is None:
            return None
        code = error.kind if error.code is None else error.code
        return {"code": code, "message": error.message, "metadata": error.metadata}


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
    if (tried := len(attempts) - call.attempts_before) > 1:
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

"""One call of a model, as far as it has come: what was received, what it cost, how it went."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import pricing
from .backends import Stream
from .completion import Accumulator, Completion, Delta
from .errors import ExitCode, Interrupted, LlmcliError, TimedOut, Truncated
from .pricing import Cost
from .schema import ChatRequest
from .trace import Trace


@dataclass
class Call:
    """`local`: the model runs in this process and costs nothing."""

    trace: Trace
    model: str | None = None
    local: bool = False
    tag: str | None = None
    session: str | None = None
    accumulator: Accumulator = field(default_factory=Accumulator)
    warnings: list[str] = field(default_factory=list)

    def cost(self) -> Cost:
        if self.local:
            return pricing.LOCAL
        return pricing.cost(self.accumulator.usage)

    def report(self, error: LlmcliError | Interrupted | None) -> dict[str, Any]:
        """The object of --json: `chat.completion` with `error` and `llmcli` beside it."""
        completion = self.accumulator.partial()
        return {
            "id": completion.id,
            "object": "chat.completion",
            "created": completion.created,
            "model": completion.model or self.model,
            "choices": [
                {
                    "index": 0,
                    "message": completion.message(),
                    "finish_reason": completion.finish_reason,
                }
            ],
            "usage": completion.usage,
            "error": error_object(error),
            "llmcli": self._about(error),
        }

    def _about(self, error: LlmcliError | Interrupted | None) -> dict[str, Any]:
        cost = self.cost()
        return {
            "version": 1,
            "ok": error is None,
            "exit_code": int(error.exit_code if error else ExitCode.OK),
            "kind": error.kind if error else ExitCode.OK.kind,
            "request_id": self.trace.request_id,
            "cost_usd": None if cost.usd is None else float(cost.usd),
            "cost_source": cost.source,
            "attempts": self.trace.attempts,
            "seconds": self.trace.seconds(),
            "session": self.session,
            "tag": self.tag,
        }


def error_object(error: LlmcliError | Interrupted | None) -> dict[str, Any] | None:
    """The server's own code where it gave one, else the kind of failure."""
    if error is None:
        return None
    code = error.kind if error.code is None else error.code
    return {"code": code, "message": error.message, "metadata": error.metadata}


def complete(
    stream: Stream,
    request: ChatRequest,
    call: Call,
    show: Callable[[Delta], None],
    allow_cut: bool,
) -> Completion:
    """Show the answer as it arrives; return it whole. Raises what kept it from being whole."""
    accumulator = call.accumulator
    try:
        for chunk in stream(request):
            delta = accumulator.add(chunk)
            if delta.text or delta.reasoning or delta.tool_calls:
                _mark_first(call.trace)
                show(delta)
    except (TimedOut, Truncated) as error:
        # The answer had its end already; only the stream's was still to come.
        if not accumulator.finish_reason:
            raise _with_length(error, accumulator) from None
        call.warnings.append(f"{error.message} after the end of the answer")
    completion = accumulator.completion(allow_cut)
    call.warnings += completion.warnings()
    return completion


def _mark_first(trace: Trace) -> None:
    if trace.first_token is None:
        trace.first_token = time.monotonic()
        trace.log(f"first token after {trace.first_token - trace.started:.3f} s")


def _with_length(error: LlmcliError, accumulator: Accumulator) -> LlmcliError:
    """Say how much of the answer there is."""
    if count := len(accumulator.partial().text):
        error.message += f" after {count} characters; the answer is partial"
    return error

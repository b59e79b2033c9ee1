"""Reports of a call: the object of --json, the usage line, and the line of --usage-file."""

import time
from typing import Any

from llmcli.api.reply.completion import Completion
from llmcli.api.reply.cost import ESTIMATED, dollars
from llmcli.api.reply.usage import Tokens
from llmcli.chat.call import Call
from llmcli.errors import ExitCode, Interrupted, LlmcliError
from llmcli.spending.bill import Turn, cost_of, usage_of
from llmcli.system.secrets import redacted

Failure = LlmcliError | Interrupted | None


def report(call: Call, error: Failure) -> dict[str, Any]:
    """Return the object of --json for a call that failed with `error`, or succeeded if it is None.

    It is the API's own `chat.completion`, built from what came of the answer, with `error` and
    `llmcli` beside it; README.md, section JSON, has its fields.
    """
    completion, turns = call.accumulator.completion(), call.bill.all_turns()
    return {
        **completion.extra,
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        # Servers may answer as another model than was asked for, such as a dated version.
        "model": completion.model or call.model,
        "choices": _choices(completion),
        "usage": usage_of(turns),
        "error": _error_object(call, error),
        "llmcli": _about(call, error, turns),
    }


def _choices(completion: Completion) -> list[dict[str, Any]]:
    """Return all choices in the order of their indexes; that of a single one is 0."""
    several = len(completion.choices) > 1
    return [
        {
            **choice.extra,
            "index": choice.index if several else 0,
            "message": choice.message(),
            "finish_reason": choice.finish_reason,
        }
        for choice in sorted(completion.choices, key=lambda choice: choice.index)
    ]


def _about(call: Call, error: Failure, turns: list[Turn]) -> dict[str, Any]:
    cost = cost_of(turns)
    return {
        "version": 1,
        "ok": error is None,
        "exit_code": int(error.exit_code if error else call.exit_code),
        "kind": error.kind if error else ExitCode.OK.kind,
        "request_id": call.trace.request_id,
        "cost_usd": None if cost.usd is None else float(cost.usd),
        "cost_source": cost.source,
        "attempts": call.trace.attempts,
        "retry_after": error.retry_after if error else None,
        "retryable": isinstance(error, LlmcliError) and error.exit_code.retryable,
        "hint": error.hint if error else None,
        "seconds": call.trace.seconds(),
        "turns": [turn.report() for turn in turns],
        "open_calls": call.open_calls,
        "session": call.session,
        "tag": call.tag,
        **call.shape,
    }


def _error_object(call: Call, error: Failure) -> dict[str, Any] | None:
    """Return the `error` field: all that the server said of it, with its own code if it gave one.

    All of it is redacted, since servers quote the key that they refuse.
    """
    if error is None:
        return None
    code = error.kind if error.code is None else error.code
    own = {"code": code, "message": error.message_with_notes, "metadata": error.metadata}
    masked: dict[str, Any] = redacted({**error.fields, **own}, call.redact)
    return masked


def summary(call: Call) -> str:
    """Return the usage line, such as `model: 12 in (4 cached), 34 out, $0.0012, 1.2 s`.

    Tokens and cost that the server did not tell are called unknown; a cost that is estimated has
    "about" before it.
    """
    turns = call.bill.all_turns()
    counts, cost = Tokens.of(usage_of(turns)), cost_of(turns)
    parts = []
    if counts.prompt is not None:
        cached = f" ({counts.cached} cached)" if counts.cached else ""
        parts.append(f"{counts.prompt} in{cached}")
    if counts.completion is not None:
        parts.append(f"{counts.completion} out")
    if not parts:
        parts.append("tokens unknown")
    about = "about " if cost.source and ESTIMATED in cost.source else ""
    parts.append("cost unknown" if cost.usd is None else about + dollars(cost.usd))
    parts.append(f"{call.trace.seconds()['total']:.1f} s")
    if len(turns) > 1:
        parts.append(f"{len(turns)} turns")
    if len(call.trace.attempts) > len(turns):
        parts.append(f"{len(call.trace.attempts)} attempts")
    asked = f"{call.provider} " if call.provider else ""
    return f"{asked}{call.accumulator.model or call.model}: {', '.join(parts)}"


def usage_record(call: Call, error: Failure) -> dict[str, Any]:
    """Return the object that --usage-file gets for a call: usage, cost and outcome, no text.

    `time` is the current time in UTC.
    """
    whole = report(call, error)
    about = whole["llmcli"]
    keys = ("ok", "exit_code", "kind", "request_id", "cost_usd", "cost_source", "seconds", "tag")
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": whole["id"],
        "model": whole["model"],
        "usage": whole["usage"],
        "session": about["session"],
        **{key: about[key] for key in keys},
    }

"""Tool calls: what is read of a message, and what is done with a call that has come."""

import json
from collections.abc import Sequence
from typing import Any, cast

from llmcli.api import strict_json, unknown_fields
from llmcli.api.types import ToolCall
from llmcli.errors import ToolError

# The characters of a reply's id that go into a made-up id: some endpoints refuse ids of over 40.
_LONGEST = 24
# What a call holds: a function with arguments in JSON, or a custom tool with a free text, see
# https://platform.openai.com/docs/guides/function-calling#custom-tools.
FUNCTION, CUSTOM = "function", "custom"
# What the model writes into each of both.
WRITTEN = {FUNCTION: "arguments", CUSTOM: "input"}


def pieces_in(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pieces of tool calls in `message`, a delta or a whole message."""
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        return [call for call in calls if isinstance(call, dict) and not _is_empty(call)]
    function = message.get("function_call")  # OpenAI's form of before November 2023
    # Snowflake sends one with empty strings beside a text.
    if isinstance(function, dict) and any(function.values()):
        return [{"index": 0, "function": function}]
    return []


def _is_empty(call: dict[str, Any]) -> bool:
    """Return whether a piece says nothing: no id, no name, no arguments, no other form of call."""
    return not any(
        any(value.values()) if isinstance(value, dict) else value
        for name, value in call.items()
        if name not in ("index", "type")
    )


def body_of(call: Any) -> tuple[str, dict[str, Any]]:
    """Return what `call` or a piece of one holds: its kind, and the object with the name.

    Snowflake sends both objects in each call, one of them with empty strings.
    """
    function, custom = call.get(FUNCTION), call.get(CUSTOM)
    if not isinstance(custom, dict):
        return FUNCTION, function if isinstance(function, dict) else {}
    if isinstance(function, dict) and (any(function.values()) or not any(custom.values())):
        return FUNCTION, function
    return CUSTOM, custom


def name_of(call: ToolCall) -> str:
    """Return the name of the tool that is called; "" if there is none."""
    name = body_of(call)[1].get("name")
    return name if isinstance(name, str) else ""


def written_in(call: ToolCall) -> str:
    """Return what the model wrote for the tool: the arguments, or the input of a custom tool."""
    kind, body = body_of(call)
    return str(body.get(WRITTEN[kind]) or "")


def passed_back(calls: list[ToolCall], reply: Any = None) -> list[ToolCall]:
    """Return `calls` as the next request has them: with ids that differ, and with arguments.

    A tool's result refers to its call by the id, but some servers leave ids out or give one id to
    all calls: missing and repeated ids are replaced. `reply` is the id of the reply; it becomes
    part of such an id, as other runs may add to the same conversation. Empty arguments become
    `{}`.
    """
    seen: set[str] = set()
    complete: list[ToolCall] = []
    prefix = f"call_{str(reply)[-_LONGEST:]}" if reply else "call"
    for number, call in enumerate(calls, 1):
        identity = call["id"]
        while not identity or identity in seen:
            identity = f"{identity or prefix}_{number}"
        seen.add(identity)
        fields = {**call, "id": identity}
        if FUNCTION in call:
            function = call["function"]
            fields["function"] = {**function, "arguments": function["arguments"] or "{}"}
        complete.append(cast(ToolCall, unknown_fields.finite(fields)))
    return complete


def arguments_of(call: ToolCall) -> dict[str, Any] | None:
    """Return the arguments of `call`, {} for an empty string and for `null`.

    Return None if they are not a JSON object, or not strict JSON (RFC 8259).
    """
    try:
        value = strict_json.parse_json(written_in(call) or "{}")
    except ValueError:
        return None
    if value is None:  # Groq sends it for a tool without parameters
        return {}
    return value if isinstance(value, dict) else None


def malformed(call: ToolCall) -> bool:
    """Return whether `call` cannot be run: it lacks a name, or its arguments are not valid.

    The input of a custom tool is any text. What other kinds of calls hold is not known here.
    """
    if FUNCTION not in call:
        return CUSTOM in call and not name_of(call)
    return not name_of(call) or arguments_of(call) is None


def refuse_malformed(calls: Sequence[ToolCall]) -> None:
    """Raise ToolError for the first of `calls` that cannot be run."""
    for call in calls:
        if malformed(call):
            name = name_of(call)
            if not name and (CUSTOM in call or arguments_of(call) is not None):
                raise ToolError("the model called a tool without a name")
            raise ToolError(f"the arguments of the call to {name!r} are not a JSON object")


def as_json(call: ToolCall) -> str:
    """Return `call` as one line of JSON."""
    return json.dumps(call, ensure_ascii=False)

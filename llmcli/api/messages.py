"""The conversation that is sent: `assemble` puts it together, `parse` reads one from JSON."""

import json
from collections.abc import Sequence
from typing import Any, cast

from llmcli.api.types import ROLES, ContentPart, Message, ToolCall
from llmcli.errors import BadRequest, UsageError

# What an assistant message must not carry empty: endpoints refuse it.
_NEVER_EMPTY = ("tool_calls", "reasoning_details", "reasoning", "refusal")


def assemble(
    system: str | None,
    history: Sequence[Message],
    results: Sequence[Message],
    content: str | list[ContentPart] | None,
) -> list[Message]:
    """System first, then `history`, the results of tools, and `content` as the user's message.

    `system` takes the place of one that stands first in `history`. Raises UsageError.
    """
    messages = [sendable(message) for message in history]
    if system:
        if messages and is_system(messages[0]):
            del messages[0]
        messages.insert(0, Message(role="system", content=system))
    messages += results
    if content:
        messages.append(Message(role="user", content=content))
    if all(is_system(message) for message in messages):
        raise UsageError("empty prompt; nothing sent", hint="give a PROMPT or text on stdin")
    return messages


def is_system(message: Message) -> bool:
    return message.get("role") in ("system", "developer")


def has_system(messages: Sequence[Message]) -> bool:
    return any(is_system(message) for message in messages)


def sendable(message: Message) -> Message:
    """An assistant message of an answer, as an endpoint takes it back: without empty fields."""
    if message.get("role") != "assistant":
        return message
    kept = {k: v for k, v in message.items() if v or k not in _NEVER_EMPTY}
    return cast(Message, kept)


def open_calls(messages: Sequence[Message]) -> list[ToolCall]:
    """The tool calls that have no result yet."""
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            waiting[call.get("id", "")] = call
        if message.get("role") == "tool":
            waiting.pop(message.get("tool_call_id", ""), None)
    return list(waiting.values())


def result(call_id: str, content: str) -> Message:
    """The message that answers a tool call."""
    return Message(role="tool", tool_call_id=call_id, content=content)


def named_calls(calls: Sequence[ToolCall]) -> str:
    """`call_1 (get_weather), call_2 (now)`, for a message."""
    names = ((call.get("id"), call.get("function", {}).get("name")) for call in calls)
    return ", ".join(f"{identity} ({name})" for identity, name in names)


def parse_messages(text: str, name: str) -> list[Message]:
    """A JSON list of messages, or an object that holds one as `messages`. Raises BadRequest."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is not JSON: {error}") from None
    if isinstance(value, dict):
        value = value.get("messages")
    if not isinstance(value, list):
        raise BadRequest(
            f"{name} holds no list of messages",
            hint='expected [{"role": "user", "content": "..."}]',
        )
    if problem := problem_of(value):
        raise BadRequest(f"{name}: {problem}")
    return value


def problem_of(messages: Sequence[Any]) -> str | None:
    """What makes this no list of messages."""
    for index, message in enumerate(messages):
        if problem := _problem(message):
            return f"message {index}: {problem}"
    return None


def _problem(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "not an object"
    if message.get("role") not in ROLES:
        return f"role {message.get('role')!r} is none of {', '.join(ROLES)}"
    calls = message.get("tool_calls")
    if calls and not (isinstance(calls, list) and all(map(_is_call, calls))):
        return "tool_calls is no list of calls"
    content = message.get("content")
    silent = content is None and calls and message.get("role") == "assistant"
    if isinstance(content, (str, list)) or silent:
        return None
    return "content is neither a text nor a list of parts"


def _is_call(call: Any) -> bool:
    """What it says of itself is of the right types."""
    if not isinstance(call, dict) or not isinstance(call.get("id", ""), str):
        return False
    function = call.get("function", {})
    return isinstance(function, dict) and isinstance(function.get("name", ""), str)

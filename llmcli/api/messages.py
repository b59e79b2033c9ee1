"""The messages of a conversation: put together for a request, read from JSON, and checked."""

import json
from collections.abc import Sequence
from typing import Any, cast

from llmcli.api.reply.tool_calls import WRITTEN, name_of
from llmcli.api.types import ROLES, ContentPart, Message, ToolCall
from llmcli.errors import BadRequest

# The fields that an assistant message must not carry empty, as endpoints refuse them.
_NEVER_EMPTY = ("tool_calls", "reasoning_details", "reasoning", "refusal")
# The fields of an assistant message whose content may be null beside them.
_NO_TEXT = ("tool_calls", "function_call", "refusal", "audio")


def assemble(
    system: str | None,
    history: Sequence[Message],
    results: Sequence[Message],
    content: str | list[ContentPart] | None,
) -> list[Message]:
    """Return the messages of a request: `system`, `history`, `results` and `content`.

    `system` takes the place of a system message at the beginning of `history`, `results` answer
    tool calls, and `content` becomes the user's message.
    """
    messages = [sendable(message) for message in history]
    if system:
        if messages and is_system(messages[0]):
            del messages[0]
        messages.insert(0, Message(role="system", content=system))
    messages += results
    if content:
        messages.append(Message(role="user", content=content))
    return messages


def is_system(message: Message) -> bool:
    """Return whether `message` is a system message, which newer OpenAI models call developer."""
    return message.get("role") in ("system", "developer")


def has_system(messages: Sequence[Message]) -> bool:
    """Return whether there is a system message among `messages`."""
    return any(is_system(message) for message in messages)


def sendable(message: Message) -> Message:
    """Return `message` in a form that endpoints take back.

    An assistant message loses its empty `tool_calls`, `reasoning_details`, `reasoning` and
    `refusal`; any other message stays as it is.
    """
    if message.get("role") != "assistant":
        return message
    fields = {k: v for k, v in message.items() if v or k not in _NEVER_EMPTY}
    return cast(Message, fields)


def open_calls(messages: Sequence[Message]) -> list[ToolCall]:
    """Return the tool calls in `messages` that no tool message answers yet."""
    # In order: a later call may have the id of an earlier one that is answered already.
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            waiting[call.get("id", "")] = call
        if message.get("role") == "tool":
            waiting.pop(message.get("tool_call_id", ""), None)
    return list(waiting.values())


def result(call_id: str, content: str) -> Message:
    """Return the message that answers the tool call with the id `call_id`."""
    return Message(role="tool", tool_call_id=call_id, content=content)


def named_calls(calls: Sequence[ToolCall]) -> str:
    """Return `calls` as words for a message, such as `call_1 (get_weather), call_2 (now)`."""
    names = ((call.get("id"), name_of(call)) for call in calls)
    return ", ".join(f"{identity} ({name})" for identity, name in names)


def parse_messages(text: str, name: str) -> list[Message]:
    """Return the messages in `text`: a JSON list, or an object with the list as `messages`.

    `name` says in messages where the text comes from. Raise BadRequest if it is not such JSON.
    """
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is not JSON: {error}") from None
    if isinstance(value, dict):
        value = value.get("messages")
    if not isinstance(value, list):
        raise BadRequest(
            f"{name} must be a list of messages, or an object that has one as `messages`",
            hint='expected [{"role": "user", "content": "..."}]',
        )
    if problem := problem_of(value):
        raise BadRequest(f"{name}: {problem}")
    return value


def problem_of(messages: Sequence[Any]) -> str | None:
    """Return what is wrong with the first of `messages` that is not valid; None if all are."""
    for index, message in enumerate(messages):
        if problem := _problem(message):
            return f"message {index}: {problem}"
    return None


def _problem(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "it must be an object"
    if message.get("role") not in ROLES:
        return f"role {message.get('role')!r} is not valid; it must be one of {', '.join(ROLES)}"
    calls = message.get("tool_calls")
    if calls and not (isinstance(calls, list) and all(map(_is_call, calls))):
        return "tool_calls must be a list of tool calls"
    content = message.get("content")
    # An assistant message that is something else than a text has null as its content.
    other = message.get("role") == "assistant" and any(message.get(name) for name in _NO_TEXT)
    if isinstance(content, (str, list)) or (content is None and other):
        return None
    return "content must be a text or a list of parts"


def _is_call(call: Any) -> bool:
    """Return whether `call` is an object whose id and function name, if given, are strings."""
    if not isinstance(call, dict) or not isinstance(call.get("id", ""), str):
        return False
    bodies = (call.get(kind, {}) for kind in WRITTEN)
    return all(isinstance(b, dict) and isinstance(b.get("name", ""), str) for b in bodies)

"""The conversation that is sent: `assemble` puts it together, `parse` reads one from JSON."""

import json
from collections.abc import Sequence
from typing import Any

from .errors import BadRequest, UsageError
from .schema import ROLES, ContentPart, Message


def assemble(
    system: str | None, history: Sequence[Message], content: str | list[ContentPart] | None
) -> list[Message]:
    """System first, then `history`, then `content` as the user's message."""
    messages = list(history)
    if system:
        messages.insert(0, Message(role="system", content=system))
    if content:
        messages.append(Message(role="user", content=content))
    if not any(message.get("role") != "system" for message in messages):
        raise UsageError("empty prompt; nothing sent", hint="give a PROMPT or text on stdin")
    return messages


def has_system(messages: Sequence[Message]) -> bool:
    return any(message.get("role") in ("system", "developer") for message in messages)


def parse(text: str, name: str) -> list[Message]:
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
    for index, message in enumerate(value):
        if problem := _problem(message):
            raise BadRequest(f"{name}: message {index}: {problem}")
    return value


def _problem(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "not an object"
    if message.get("role") not in ROLES:
        return f"role {message.get('role')!r} is none of {', '.join(ROLES)}"
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        return None
    return (
        None
        if isinstance(content, (str, list))
        else "content is neither a text nor a list of parts"
    )

"""A session as text for people to read, as `session show` prints it."""

import json
from collections.abc import Iterator
from typing import Any

from llmcli.api.reply.tool_calls import name_of, written_in
from llmcli.api.types import Message
from llmcli.chat.sessions.history import Session
from llmcli.system.files.records import Record


def as_text(session: Session) -> str:
    """Return the messages of `session`, each under a heading with its role.

    A turn that is incomplete is followed by a line that says so. Control sequences are left as they
    are: make the text harmless before it goes to a terminal.
    """
    return "\n\n".join(part for turn in session.turns for part in _parts(turn))


def _parts(turn: Record) -> Iterator[str]:
    for message in turn["messages"]:
        yield f"{_title(message)}\n{_body(message)}".rstrip()
    if turn.get("incomplete"):
        yield f"[incomplete: {turn['incomplete']}; not sent again]"


def _title(message: Message) -> str:
    role = message.get("role", "")
    return f"## {role} {message['tool_call_id']}" if "tool_call_id" in message else f"## {role}"


def _body(message: Message) -> str:
    lines = [_text(message.get("content"))]
    for call in message.get("tool_calls") or ():
        lines.append(f"[calls {call.get('id')}: {name_of(call)} {written_in(call)}]")
    return "\n".join(line for line in lines if line)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(_part(part) for part in parts if isinstance(part, dict))


def _part(part: dict[str, Any]) -> str:
    if isinstance(part.get("text"), str):
        return str(part["text"])
    kind = part.get("type")
    return f"[{kind}]" if isinstance(kind, str) else json.dumps(part, ensure_ascii=False)

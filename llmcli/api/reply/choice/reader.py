"""A choice of one chunk, read without regard to what came before."""

from typing import Any, NamedTuple

from llmcli.api.reply import reasoning
from llmcli.api.reply.tool_calls import pieces_in


class Parts(NamedTuple):
    """The parts of a message's content: text, thinking, refusals, images, and all the others."""

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    images: tuple[Any, ...] = ()
    others: tuple[Any, ...] = ()


class ChoicePiece(NamedTuple):
    """What one chunk says of a choice.

    `message` is the delta or the whole message that was read; `whole` says that it is the latter.
    `calls` are pieces of tool calls, `finish_reason` is None if it has not come.
    """

    parts: Parts
    thinking: str
    refusal: str
    calls: list[dict[str, Any]]
    finish_reason: str | None
    message: dict[str, Any]
    whole: bool


_NO_PARTS = Parts()


def read(choice: dict[str, Any], *, in_deltas: bool) -> ChoicePiece:
    """Return what `choice` says; `in_deltas` says that earlier chunks had deltas.

    After deltas a `message` would repeat what they said, as Perplexity's does, so it is not read.
    """
    message, whole = choice.get("delta"), False
    if not message and not in_deltas:
        message, whole = choice.get("message"), True
    finish = choice.get("finish_reason")
    finish = finish if isinstance(finish, str) and finish else None
    if not isinstance(message, dict):
        return ChoicePiece(_NO_PARTS, "", "", [], finish, {}, whole)
    content = message.get("content")
    parts = Parts(content) if isinstance(content, str) else _parts(content)
    refusal = message.get("refusal")
    return ChoicePiece(
        parts,
        parts.thinking + reasoning.text_in(message),
        parts.refusal + (refusal if isinstance(refusal, str) else ""),
        pieces_in(message),
        finish,
        message,
        whole,
    )


def _parts(content: Any) -> Parts:
    """Return the parts of `content`, which is a list of them, one of them, or nothing."""
    if content is None:
        return _NO_PARTS
    text = thinking = refusal = ""
    images: list[Any] = []
    others: list[Any] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            text += part
        elif not isinstance(part, dict):
            continue
        elif part.get("type") in ("thinking", "reasoning"):
            thinking += _inner_text(part.get("thinking") or part.get("text"))
        elif isinstance(part.get("text"), str):
            text += part["text"]
        elif isinstance(part.get("refusal"), str):
            refusal += part["refusal"]
        else:
            (images if "image" in str(part.get("type")) else others).append(part)
    return Parts(text, thinking, refusal, tuple(images), tuple(others))


def _inner_text(value: Any) -> str:
    """Return the text of a part of thinking: Mistral has a list of text parts there."""
    parts = _parts(value) if not isinstance(value, str) else Parts(value)
    return parts.text + parts.thinking

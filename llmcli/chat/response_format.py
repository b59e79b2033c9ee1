"""Answers with a shape: JSON by a schema, the first fenced block, yes or no."""

import re
from collections.abc import Mapping
from typing import Any

from llmcli.api import messages, strict_json
from llmcli.api.types import ChatRequest, ContentPart, Message
from llmcli.errors import BadRequest, ExitCode, UsageError
from llmcli.system.dataclass import dataclass, field

YES_NO = "Answer with the single word yes or no."
_FENCE = r"(?m)^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,}).*$"
_WORD = r"(?i)[\W_]*(yes|no)[\W_]*"


@dataclass(frozen=True)
class Shaped:
    """`text` stands for the whole answer's; `found` is what the object of --json says of it."""

    text: str | None = None
    found: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.OK


@dataclass(frozen=True)
class Shape:
    """What the answer must be; without any of these, whatever comes."""

    schema: dict[str, Any] | None = None
    extract: bool = False
    yes_no: bool = False

    def __bool__(self) -> bool:
        return self.schema is not None or self.extract or self.yes_no

    def read(self, text: str) -> Shaped:
        """Raises BadRequest with what is wrong, in words for the model as well as the user."""
        if self.yes_no:
            return _yes_or_no(text)
        found: dict[str, Any] = {}
        block = None
        if self.extract:
            block = found["extracted"] = first_block(text)
        if self.schema is not None:
            found["parsed"] = _parsed(text if block is None else block, self.schema)
        return Shaped(block, found)


def _yes_or_no(text: str) -> Shaped:
    word = re.fullmatch(_WORD, text)
    if word is None:
        raise BadRequest("the answer is neither a plain yes nor a plain no")
    answer = word[1].lower()
    return Shaped(None, {"answer": answer}, ExitCode.OK if answer == "yes" else ExitCode.ERROR)


def _parsed(text: str, schema: dict[str, Any]) -> Any:
    try:
        value = strict_json.parse_json(text)
    except ValueError as error:
        hint = "-x reads the fenced block" if re.search(_FENCE, text) else None
        raise BadRequest(f"the answer is not JSON: {error}", hint=hint) from None
    from llmcli.tools import json_schema

    if problem := json_schema.problem(schema, value):
        raise BadRequest(f"the answer does not fit the schema: {problem}")
    return value


def first_block(text: str) -> str:
    """The inside of the first fenced block (CommonMark 0.31, section 4.5). Raises BadRequest."""
    opening = re.search(_FENCE, text)
    if opening is None:
        raise BadRequest("the answer has no fenced block to extract")
    fence = opening[1]
    closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t\r]*$", re.M)
    start = min(opening.end() + 1, len(text))
    end = closing.search(text, start)
    block = text[start : end.start() if end else len(text)]
    if not block.strip():
        raise BadRequest("the first fenced block of the answer is empty")
    return block


def parse_schema(text: str, name: str) -> dict[str, Any]:
    """A JSON Schema. Raises BadRequest, and ConfigError where the extra is missing."""
    from llmcli.tools import json_schema

    json_schema.require()
    try:
        schema = strict_json.parse_json(text)
    except ValueError as error:
        raise BadRequest(f"{name} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise BadRequest(f"{name} is no JSON Schema: not an object")
    json_schema.check_schema(schema, name)
    return schema


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """The body's field for it. `strict` only where the schema says all that strict demands."""
    title = schema.get("title")
    name = re.sub(r"[^\w-]+", "_", title, flags=re.A)[:64] if isinstance(title, str) else ""
    inner: dict[str, Any] = {"name": name.strip("_") or "answer", "schema": schema}
    if _closed(schema):
        inner["strict"] = True
    return {"type": "json_schema", "json_schema": inner}


def _closed(schema: Any) -> bool:
    """Every object in it allows its own properties only, and wants them all."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if schema.get("type") == "object" or isinstance(properties, dict):
            named = list(properties) if isinstance(properties, dict) else []
            required = schema.get("required") or []
            if schema.get("additionalProperties") is not False or set(named) != set(required):
                return False
    from llmcli.tools import json_schema

    return all(map(_closed, json_schema.inside(schema)))


def complaint(error: BadRequest) -> str:
    """What the model is told of an answer that does not fit."""
    return f"{error.message[:1].upper()}{error.message[1:]}. Answer again, in the right form only."


def instructed(request: ChatRequest, wanted: Shape) -> ChatRequest:
    """The request with what the model must be told of the shape, which no conversation keeps."""
    if not wanted.yes_no:
        return request
    said: list[Message] = list(request["messages"])
    if not messages.is_system(said[0]):
        return {**request, "messages": [Message(role="system", content=YES_NO), *said]}
    first = said.pop(0)
    before = first["content"]
    told: str | list[ContentPart] = f"{before}\n\n{YES_NO}"
    if isinstance(before, list):
        told = [*before, ContentPart(type="text", text=YES_NO)]
    return {**request, "messages": [{**first, "content": told}, *said]}


def check_options(shape: Shape, repair: int) -> None:
    """Raises UsageError."""
    if shape.yes_no and (shape.schema is not None or shape.extract):
        raise UsageError("--yes-no goes with neither --schema nor --extract")
    if repair and not shape:
        raise UsageError("--repair goes with --schema, --extract or --yes-no")

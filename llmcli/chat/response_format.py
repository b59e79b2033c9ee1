"""Answers that must have a shape: JSON that fits a schema, a fenced block, or yes or no."""

import re
from collections.abc import Mapping
from typing import Any

from llmcli.api import messages, strict_json
from llmcli.api.types import ChatRequest, ContentPart, Message
from llmcli.errors import BadRequest, ExitCode, UsageError
from llmcli.system.dataclass import dataclass, field

YES_NO = "Answer with the single word yes or no."
# The line that opens a fenced code block; group 1 is the fence. CommonMark 0.31.2, section 4.5: at
# most 3 blanks before it, and no backtick behind a fence of backticks.
_FENCE = r"(?m)^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,}).*$"
# A lone yes or no, in any case, with punctuation or emphasis around it such as `**Yes.**`.
_WORD = r"(?i)[\W_]*(yes|no)[\W_]*"


@dataclass(frozen=True)
class Shaped:
    """What was read of an answer.

    `text` replaces the text of the answer in the output; None leaves that as it is.
    `found` has the fields that --json adds below `llmcli`: `extracted`, `parsed` or `answer`.
    `exit_code` is 0, or 1 for a "no" by --yes-no.
    """

    text: str | None = None
    found: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.OK


@dataclass(frozen=True)
class Shape:
    """What an answer must be, by --schema, --extract and --yes-no; it is false if all are unset.

    With `extract` the schema is that of the fenced block.
    """

    schema: dict[str, Any] | None = None
    extract: bool = False
    yes_no: bool = False

    def __bool__(self) -> bool:
        """Return whether the answer must have any shape."""
        return self.schema is not None or self.extract or self.yes_no

    def read(self, text: str) -> Shaped:
        """Return what `text` holds, or raise BadRequest if it does not have this shape.

        The message of the error is for the user, and for the model where it is asked again.
        """
        if self.yes_no:
            return _yes_or_no(text)
        found: dict[str, Any] = {}
        block = None
        if self.extract:
            block = found["extracted"] = first_block(text)
        if self.schema is not None:
            found["parsed"] = _parsed(text, block, self.schema)
        return Shaped(block, found)


def _yes_or_no(text: str) -> Shaped:
    word = re.fullmatch(_WORD, text)
    if word is None:
        raise BadRequest("the answer is neither a plain yes nor a plain no")
    answer = word[1].lower()
    return Shaped(None, {"answer": answer}, ExitCode.OK if answer == "yes" else ExitCode.ERROR)


def _parsed(text: str, block: str | None, schema: dict[str, Any]) -> Any:
    """Return the JSON value of `block`, or of the whole `text` where no block was extracted.

    Raise BadRequest if it is not JSON or does not fit `schema`.
    """
    try:
        value = strict_json.parse_json(text if block is None else block)
    except ValueError as error:
        fenced = block is None and re.search(_FENCE, text)
        hint = "-x takes it out of its fenced block" if fenced else None
        raise BadRequest(f"the answer is not JSON: {error}", hint=hint) from None
    from llmcli.tools import json_schema  # noqa: PLC0415  # needed with --schema only

    if problem := json_schema.problem(schema, value):
        raise BadRequest(f"the answer does not fit the schema: {problem}")
    return value


def first_block(text: str) -> str:
    """Return the inside of the first fenced code block of `text`, with its last newline.

    The rules are those of CommonMark 0.31.2, section 4.5: a block without a closing fence ends with
    the text. Raise BadRequest if there is no block or if it is blank.
    """
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
    """Return the JSON Schema that `text` holds; `name` says where it stands, for messages.

    Raise BadRequest if it is not valid, ConfigError if the extra `schema` is not installed.
    """
    from llmcli.tools import json_schema  # noqa: PLC0415  # needed with --schema only

    json_schema.require()
    try:
        schema = strict_json.parse_json(text)
    except ValueError as error:
        raise BadRequest(f"{name} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise BadRequest(f"{name} is not a valid JSON Schema: it must be an object")
    json_schema.check_schema(schema, name)
    return schema


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the field `response_format` of a request body, which asks for JSON by `schema`.

    `strict` is set only if the schema meets what OpenAI demands of strict schemas, see `_closed`;
    else the endpoint would refuse the request. The schema's name is its title as far as OpenAI
    allows: at most 64 ASCII letters, digits, `_` and `-`.
    https://platform.openai.com/docs/guides/structured-outputs
    """
    title = schema.get("title")
    name = re.sub(r"[^\w-]+", "_", title, flags=re.A)[:64] if isinstance(title, str) else ""
    inner: dict[str, Any] = {"name": name.strip("_") or "answer", "schema": schema}
    if _closed(schema):
        inner["strict"] = True
    return {"type": "json_schema", "json_schema": inner}


def _closed(schema: Any) -> bool:
    """Return whether each object in `schema` allows no other properties and requires all it has."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if schema.get("type") == "object" or isinstance(properties, dict):
            named = list(properties) if isinstance(properties, dict) else []
            required = schema.get("required") or []
            if schema.get("additionalProperties") is not False or set(named) != set(required):
                return False
    from llmcli.tools import json_schema  # noqa: PLC0415  # needed with --schema only

    return all(map(_closed, json_schema.inside(schema)))


def complaint(error: BadRequest) -> str:
    """Return the message that asks the model again after an answer that does not fit."""
    return f"{error.message[:1].upper()}{error.message[1:]}. Answer again, in the right form only."


def instructed(request: ChatRequest, wanted: Shape) -> ChatRequest:
    """Return `request` with what the model must be told of the shape: for --yes-no one sentence.

    The sentence is added to the system message of a copy, so that a session does not keep it.
    """
    if not wanted.yes_no:
        return request
    conversation: list[Message] = list(request["messages"])
    if not messages.is_system(conversation[0]):
        return {**request, "messages": [Message(role="system", content=YES_NO), *conversation]}
    system = conversation.pop(0)
    before = system["content"]
    content: str | list[ContentPart] = f"{before}\n\n{YES_NO}"
    if isinstance(before, list):
        content = [*before, ContentPart(type="text", text=YES_NO)]
    return {**request, "messages": [{**system, "content": content}, *conversation]}


def check_options(shape: Shape, repair: int) -> None:
    """Raise UsageError for options of a shape that exclude each other, or --repair without one."""
    if shape.yes_no and (shape.schema is not None or shape.extract):
        raise UsageError("--yes-no cannot be combined with --schema or --extract")
    if repair and not shape:
        raise UsageError("--repair needs --schema, --extract or --yes-no")

"""Answers that must have a shape: JSON that fits a schema, a fenced block, or yes or no."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmcli.api import messages, strict_json
from llmcli.api.types import ChatRequest, ContentPart, Message
from llmcli.errors import BadRequest, ExitCode, UsageError
from llmcli.system.dataclass import dataclass, field

if TYPE_CHECKING:
    from llmcli.api.reply.fences import Block

YES_NO = "Answer with the single word yes or no."
# Any line that looks like a fence.
_ANY_FENCE = r"(?m)^\s*(```|~~~)"
# A value of --block: a number from 1, or a word that is not a number.
_BLOCK = r"[1-9][0-9]{0,5}|(?![-+]?\d+$)\S+"
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
    """What an answer must be, by --schema, --extract, --block and --yes-no; false if all are unset.

    With `extract` the schema is that of a fenced block. `block` says which one: a language, `last`
    or a number from 1; the first one if it is None.
    """

    schema: dict[str, Any] | None = None
    extract: bool = False
    yes_no: bool = False
    block: str | None = None

    def __bool__(self) -> bool:
        """Return whether the answer must have any shape."""
        return self.schema is not None or self.extract or self.yes_no

    def read(self, text: str) -> Shaped:
        """Return what `text` holds, or raise BadRequest if it does not have this shape.

        The message of the error is for the user, and for the model where it is asked again.
        """
        if self.yes_no:
            return _yes_or_no(text)
        if not self:
            return Shaped()
        if self.schema is None:
            block = self._block(text)
            return Shaped(block, {"extracted": block})
        inside, value = self._parsed(text)
        if problem := _problem(self.schema, value):
            raise BadRequest(f"the answer does not fit the schema: {problem}")
        extracted = {"extracted": text if inside is None else inside} if self.extract else {}
        return Shaped(inside, {**extracted, "parsed": value})

    def fits_closed(self, text: str) -> bool:
        """Return whether `text` is an object or array that ends in it and fits the schema.

        Such a text is whole even if the model was stopped at its token limit: that fell on white
        space behind it. Any other value, such as a number, may have lost its end.
        """
        if self.schema is None:
            return False
        try:
            return isinstance(self.read(text).found["parsed"], (dict, list))
        except BadRequest:
            return False

    def _block(self, text: str) -> str:
        """Return the inside of the block that is asked for; raise BadRequest if there is none."""
        from llmcli.api.reply import fences  # noqa: PLC0415  # most answers are plain text

        found = fences.blocks(text)
        if not found:
            raise BadRequest("the answer has no fenced block to extract")
        number = _number_of_block(self.block or "1", found)
        if not found[number].text.strip():
            which = "first" if self.block is None else "chosen"
            raise BadRequest(f"the {which} fenced block of the answer is empty")
        return found[number].text

    def _parsed(self, text: str) -> tuple[str | None, Any]:
        """Return the JSON value of the answer, and the block that holds it; None if none does.

        JSON in a block is taken with `extract`, or if the block is all of the answer. Raise
        BadRequest if there is no JSON where it should be.
        """
        try:
            return None, strict_json.parse_json(text)
        except ValueError as error:
            not_json = error
        from llmcli.api.reply import fences  # noqa: PLC0415  # most answers are plain text

        if self.extract:
            block = self._block(text)
        elif whole := fences.only_block(text):
            block = whole.text
        else:
            hint = "-x takes it out of its fenced block" if re.search(_ANY_FENCE, text) else None
            raise BadRequest(f"the answer is not JSON: {not_json}", hint=hint)
        try:
            return block, strict_json.parse_json(block)
        except ValueError as error:
            raise BadRequest(f"the answer is not JSON: {error}") from None


def _number_of_block(chosen: str, found: "Sequence[Block]") -> int:
    """Return the index of the block that --block names; raise BadRequest if there is none."""
    if chosen == "last":
        return len(found) - 1
    if chosen.isdecimal():
        if int(chosen) <= len(found):
            return int(chosen) - 1
        raise BadRequest(f"the answer has no fenced block {chosen}, only {len(found)}")
    languages = [block.language for block in found]
    if chosen.lower() in languages:
        return languages.index(chosen.lower())
    known = ", ".join(language or "without a language" for language in languages)
    raise BadRequest(f"the answer has no fenced block {chosen}; its blocks are: {known}")


def _yes_or_no(text: str) -> Shaped:
    word = re.fullmatch(_WORD, text)
    if word is None:
        raise BadRequest("the answer is neither a plain yes nor a plain no")
    answer = word[1].lower()
    return Shaped(None, {"answer": answer}, ExitCode.OK if answer == "yes" else ExitCode.ERROR)


def _problem(schema: dict[str, Any], value: Any) -> str | None:
    from llmcli.tools import json_schema  # noqa: PLC0415  # needed with --schema only

    return json_schema.problem(schema, value)


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
        raise UsageError("--yes-no cannot be combined with --schema, --extract or --block")
    if shape.block is not None and not re.fullmatch(_BLOCK, shape.block):
        problem = f"--block must be a language, `last` or a number from 1, not {shape.block!r}"
        raise UsageError(problem)
    if repair and not shape:
        raise UsageError("--repair needs --schema, --extract, --block or --yes-no")

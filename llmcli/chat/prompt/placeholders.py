"""Places in a prompt of `map`: `{}` is the record, `{field}` and `{a.b}` are values in it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from llmcli.api.strict_json import Written
from llmcli.errors import BadRequest

# A name: letters, digits, `_` and `-`, the first neither a digit nor `-`.
WORD = r"[^\W\d][\w-]*"


def pattern(name: str) -> re.Pattern[str]:
    """Return the pattern that finds `{name}` and `{{name}}`, where `name` is itself a pattern.

    Group 1 is the name in `{{name}}`, which stands for a literal `{name}`; group 2 is the name in
    `{name}`, a place for a value. Any other brace is literal, since prompts contain code and JSON.
    """
    return re.compile(rf"\{{\{{({name})\}}\}}|\{{({name})\}}")


# A field, a field within another one, or nothing for the whole record.
_PLACE = pattern(rf"{WORD}(?:\.[\w-]+)*|")
# `{stdin}` stands for the whole record, so that prompts of `ask` serve `map` as well.
_STDIN = "stdin"


def field_names(prompt: str) -> list[str]:
    """Return the names of the fields that `prompt` has places for, each once, in their order."""
    names = [match[2] for match in _PLACE.finditer(prompt) if match[2]]
    return [name for name in dict.fromkeys(names) if name != _STDIN]


def has_places(prompt: str) -> bool:
    """Return whether `prompt` has a place for the record or for a value in it."""
    return any(match[2] is not None for match in _PLACE.finditer(prompt))


def filled(prompt: str, record: str, fields: Mapping[str, Any] | None) -> str:
    """Return `prompt` with values in its places: `record` for `{}`, and for others its `fields`.

    A record without fields, such as a line of text, leaves `{field}` as it stands. The prompt is
    filled in one pass, so that braces within a value are literal. Raise BadRequest for a field that
    the record does not have.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is not None:
            return f"{{{match[1]}}}"
        if match[2] in ("", _STDIN):
            return record
        return match[0] if fields is None else text(field_of(fields, match[2]))

    return _PLACE.sub(value, prompt)


def text(value: Any) -> str:
    """Return `value` as text: a string as it is, a number as it was written, all else as JSON."""
    if isinstance(value, Written):
        return value.text
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def field_of(fields: Mapping[str, Any], name: str) -> Any:
    """Return the value of the field `name`, where `a.b` is the field `a.b` or else `b` within `a`.

    A part that is a number counts the items of a list from 0. Raise BadRequest if there is no such
    field.
    """
    if name in fields:
        return fields[name]
    value: Any = fields
    for part in name.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            known = ", ".join(list(fields)[:20])
            hint = f"its fields are: {known}" if known else "it has no fields"
            raise BadRequest(f"the record has no field {name}", hint=hint)
    return value

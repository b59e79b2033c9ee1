"""A prompt with places for a record: `{}` is all of it, `{field}` and `{a.b}` are parts of it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from llmcli.api.strict_json import Written
from llmcli.errors import BadRequest

WORD = r"[^\W\d][\w-]*"


def pattern(name: str) -> re.Pattern[str]:
    """Return what finds places for a `name`, itself a pattern. Of a match group 1 is the name in
    `{{name}}`, which is literal, and group 2 that in `{name}`. Any other brace is literal as well,
    as prompts hold code and JSON."""
    return re.compile(rf"\{{\{{({name})\}}\}}|\{{({name})\}}")


# A field, one within another, or the whole record.
_PLACE = pattern(rf"{WORD}(?:\.[\w-]+)*|")
# Means all of the record, as it does in `ask`.
_STDIN = "stdin"


def field_names(prompt: str) -> list[str]:
    """The fields that `prompt` has places for."""
    found = [match[2] for match in _PLACE.finditer(prompt) if match[2]]
    return [name for name in dict.fromkeys(found) if name != _STDIN]


def has_places(prompt: str) -> bool:
    return any(match[2] is not None for match in _PLACE.finditer(prompt))


def filled(prompt: str, record: str, fields: Mapping[str, Any] | None) -> str:
    """In one pass: what stands in a value is no place. Without `fields`, only `{}` is one.

    Raises BadRequest for a field that the record lacks."""

    def value(match: re.Match[str]) -> str:
        if match[1] is not None:
            return f"{{{match[1]}}}"
        if match[2] in ("", _STDIN):
            return record
        return match[0] if fields is None else text(field_of(fields, match[2]))

    return _PLACE.sub(value, prompt)


def text(value: Any) -> str:
    """A string is itself, a number as it was written, all else JSON."""
    if isinstance(value, Written):
        return value.text
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def field_of(fields: Mapping[str, Any], name: str) -> Any:
    """`a.b` is a field of that name, else the field b of a. Raises BadRequest."""
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
            raise BadRequest(f"the record has no {name}", hint=f"it has: {known or 'nothing'}")
    return value

"""Places in a prompt of `map`: `{}` is the record, `{field}` and `{a.b}` are values in it."""

import json
import re
from collections.abc import Container, Mapping
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


# Braces on one line, doubled or not, without others within them.
_BRACES = re.compile(r"\{\{([^{}\n]*)\}\}|\{([^{}\n]*)\}")
# The name of a field, or of one within another: letters, digits, `_`, `-`, and a letter among them,
# so that `\d{3}` and `{1,2}` of a regular expression name nothing.
_FIELD = re.compile(r"(?=[\d.-]*[^\W\d])[\w-]+(?:\.[\w-]+)*")
# `{stdin}` stands for the whole record, so that prompts of `ask` serve `map` as well.
_RECORD = ("", "stdin")


def named_fields(prompt: str) -> list[str]:
    """Return the names of the fields that `prompt` has places for, each once, in their order."""
    return [inside for inside in _insides(prompt) if _FIELD.fullmatch(inside)]


def other_braces(prompt: str) -> list[str]:
    """Return what else stands in braces and may be the name of a column, such as `Unit Price`.

    Quotes and colons stand in code and JSON.
    """
    others = (inside for inside in _insides(prompt) if not _FIELD.fullmatch(inside))
    return [inside for inside in others if not re.search("[\"':]", inside)]


def all_braces(prompt: str) -> list[str]:
    """Return all that stands in single braces on one line, but for `{}` and `{stdin}`."""
    return _insides(prompt)


def _insides(prompt: str) -> list[str]:
    found = (match[2] for match in _BRACES.finditer(prompt) if match[2] is not None)
    return [inside for inside in dict.fromkeys(found) if inside not in _RECORD]


def has_places(prompt: str, columns: Container[str] = ()) -> bool:
    """Return whether `prompt` has a place for the record or for a value in it.

    `columns` are the names that stand in braces whatever characters they have.
    """
    found = (match[2] for match in _BRACES.finditer(prompt) if match[2] is not None)
    return any(one in _RECORD or one in columns or _FIELD.fullmatch(one) for one in found)


def filled(
    prompt: str,
    record: str,
    fields: Mapping[str, Any] | None,
    columns: Container[str] | None = None,
) -> str:
    """Return `prompt` with values in its places: `record` for `{}`, and for others its `fields`.

    A record without fields, such as a line of text, leaves `{field}` as it stands. `columns` are
    those of a table, else None: in its prompt all that stands in double braces is literal. The
    prompt is filled in one pass, so that braces within a value are literal. Raise BadRequest for a
    field that the record does not have.
    """

    def value(match: re.Match[str]) -> str:
        literal, inside = match.groups()
        if literal is not None:
            is_place = columns is not None or literal in _RECORD or _FIELD.fullmatch(literal)
            return f"{{{literal}}}" if is_place else match[0]
        if inside in _RECORD:
            return record
        if fields is None or not (inside in (columns or ()) or _FIELD.fullmatch(inside)):
            return match[0]
        return text(field_of(fields, inside))

    return _BRACES.sub(value, prompt)


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

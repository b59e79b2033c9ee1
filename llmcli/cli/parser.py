"""A plain command line, read by the definitions in `options` without Typer, which takes longer to
load than all else before the request.

What is not plainly right is left to Typer: errors, --help, `-qn`, `--`, values that begin with a
dash.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from llmcli.system.dataclass import Field, fields

T = TypeVar("T")


def parse_arguments(arguments: Sequence[str], kind: type[T]) -> tuple[T, list[str] | None] | None:
    """The options of `kind`, which is made of groups, and the words that belong to none.

    None for what is left to Typer."""
    groups = {group.name: group.type for group in fields(kind)}
    options = {
        name: field
        for group in groups.values()
        for field in fields(group)
        for name in field.type.__metadata__[0].names
    }
    values: dict[str, Any] = {}
    words: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if _is_word(argument):
            words.append(argument)
            continue
        name, equals, text = argument.partition("=")
        if name not in options or (equals and not name.startswith("--")):
            return None
        if not _take(options[name], text if equals else None, waiting, values):
            return None
    return assembled(kind, values), words or None


def assembled(kind: type[T], values: Mapping[str, Any]) -> T:
    """The options of `kind`, from the `values` of single ones by their names."""
    groups = {group.name: group.type for group in fields(kind)}
    return kind(**{
        name: group(**{f.name: values[f.name] for f in fields(group) if f.name in values})
        for name, group in groups.items()
    })  # fmt: skip


def _is_word(argument: str) -> bool:
    return argument == "-" or not argument.startswith("-")


def _take(field: Field, text: str | None, waiting: Any, values: dict[str, Any]) -> bool:
    """Whether the option's value, `text` or the next argument, is one that is plainly right."""
    kind, about = field.type.__origin__, field.type.__metadata__[0].about
    kind = next((k for k in get_args(kind) if k is not type(None)), kind)
    if kind is bool:
        values[field.name] = True
        return text is None
    if text is None:
        text = next(waiting, "--")
        if not _is_word(text):
            return False
    if kind == list[str]:
        values.setdefault(field.name, []).append(text)
        return True
    return _convert(field.name, kind, text, about, values)


def _convert(
    name: str, kind: Any, text: str, about: Mapping[str, Any], values: dict[str, Any]
) -> bool:
    try:
        values[name] = kind(text)
    except ValueError:
        return False
    return "min" not in about or bool(values[name] >= about["min"])

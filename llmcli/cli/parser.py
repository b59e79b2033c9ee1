"""A parser for plain command lines, by the option definitions of `llmcli.config.options`.

It spares `ask` the import of Typer, which takes longer than everything else before the request.
Whatever is unusual is left to Typer: errors, --help, bundled flags such as `-qn`, the separator
`--`, and values that begin with a dash.

A short way: without it a completion of 10 events takes 1.2 times as long from start to end, by
`python -m tests.benchmarks short`. It leans on no private names.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from llmcli.system.dataclass import Field, fields

T = TypeVar("T")


def parse_arguments(arguments: Sequence[str], kind: type[T]) -> tuple[T, list[str] | None] | None:
    """Return the options that `arguments` set, as a `kind`, and the words that are no options.

    `kind` is a dataclass whose fields are groups of options, themselves dataclasses, such as
    AskOptions. The words are None if there are none. Return None for arguments that Typer must
    read.
    """
    groups = {group.name: group.type for group in fields(kind)}
    by_name = {
        name: field
        for group in groups.values()
        for field in fields(group)
        for name in field.type.__metadata__[0].names
    }
    values: dict[str, Any] = {}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if _is_word(argument):
            words.append(argument)
            continue
        name, equals, text = argument.partition("=")
        # Only a long option takes `=`: Typer reads `-m=x` as the value `=x`.
        if name not in by_name or (equals and not name.startswith("--")):
            return None
        if not _take_value(by_name[name], text if equals else None, rest, values):
            return None
    return assembled(kind, values), words or None


def assembled(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return a `kind`, a dataclass of groups of options, from the values of single options.

    `values` has the name of each option's field. An option that is missing keeps its default.
    """
    groups = {group.name: group.type for group in fields(kind)}
    return kind(**{
        name: group(**{f.name: values[f.name] for f in fields(group) if f.name in values})
        for name, group in groups.items()
    })  # fmt: skip


def _is_word(argument: str) -> bool:
    return argument == "-" or not argument.startswith("-")


def _take_value(
    option: Field, text: str | None, rest: Iterator[str], values: dict[str, Any]
) -> bool:
    """Put the value of `option` into `values`; return False if Typer must read it.

    `text` is the value behind `=`. If it is None, the value of an option that is no flag is the
    next argument, taken from `rest`.
    """
    kind, about = option.type.__origin__, option.type.__metadata__[0].about
    # The type of the value is X where the annotation says `X | None`.
    kind = next((k for k in get_args(kind) if k is not type(None)), kind)
    if kind is bool:
        values[option.name] = True
        return text is None
    if text is None:
        text = next(rest, "--")
        if not _is_word(text):
            return False
    if kind == list[str]:
        values.setdefault(option.name, []).append(text)
        return True
    return _convert(option.name, kind, text, about, values)


def _convert(
    name: str, kind: Any, text: str, about: Mapping[str, Any], values: dict[str, Any]
) -> bool:
    """Put `text`, converted to `kind`, into `values`; return False if it is not valid."""
    try:
        values[name] = kind(text)
    except ValueError:
        return False
    return "min" not in about or bool(values[name] >= about["min"])

"""Whether the input is a table, CSV or JSON lines, and whether it has what the prompt names."""

from typing import NoReturn

from llmcli.batch.input import csv_rows, readers
from llmcli.batch.input.source import Source
from llmcli.batch.plan import Plan
from llmcli.chat.prompt import placeholders
from llmcli.errors import LlmcliError, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.suggestions import did_you_mean

# Delimiters that are likely where a header has no comma.
_OTHER_DELIMITERS = {";": ";", "\t": "\\t", "|": "|"}
_LONGEST_LIST = 200


@dataclass(frozen=True)
class Table:
    """The format of a table, jsonl or csv, and its columns: those of the header or first object.

    `names` are the columns as the header has them, where a column may be without a name.
    """

    format: str
    columns: list[str]
    names: list[str]
    delimiter: str = csv_rows.COMMA


def table_of(source: Source, plan: Plan, format: str | None, delimiter: str | None) -> Table | None:
    """Return the table that the input is; None if its records are plain lines.

    It is one by `format` and `delimiter`, by the names of fields in the prompt, or if braces in the
    prompt hold the name of one. Raises UsageError for a prompt that names a missing column.
    """
    named = bool(format or delimiter or plan.required_fields)
    braces = placeholders.all_braces(plan.prompt)
    if format == "lines" or not (named or braces):
        return None
    first = source.peek(readers.first_line)
    if not first and not format:
        return None
    if format == "jsonl" or (not format and not delimiter and first.startswith((b"{", b"["))):
        if first.startswith(b"[") and not format and named:
            hint = "`jq -c '.[]'` makes JSON lines of an array"
            raise UsageError("the input must be JSON lines, not a JSON array", hint=hint)
        keys = source.peek(readers.keys) if named or _is_object(first) else []
        table = Table("jsonl", keys, keys)
    else:
        mark = delimiter or csv_rows.COMMA
        try:
            header = source.peek(lambda peeked: csv_rows.header(peeked, mark))
        except LlmcliError:
            if named or any(inside.encode() in first for inside in braces):
                raise
            return None  # plain lines, of which the first cannot be a header
        table = Table("csv", header.keys, header.names, mark)
    if not named and not set(braces) & set(table.columns):
        return None
    _check(plan, table)
    return table


def _is_object(line: bytes) -> bool:
    return line.startswith(b"{") and line.endswith(b"}")


def _check(plan: Plan, table: Table) -> None:
    """Raise UsageError if the prompt names what the table has not."""
    # Further objects may have other keys than the first; rows of CSV cannot.
    wanted = plan.required_fields if table.format == "csv" else []
    for name in (*wanted, *placeholders.other_braces(plan.prompt)):
        if name not in table.columns and table.columns:
            _refuse(name, table)


def _refuse(name: str, table: Table) -> NoReturn:
    kind = "column" if table.format == "csv" else "key"
    known = ", ".join(table.columns)[:_LONGEST_LIST]
    # A name with other than letters may be code that is meant as it stands.
    literal = "; {{…}} is literal" if name in placeholders.other_braces(f"{{{name}}}") else ""
    hint = f"its {kind}s are: {known}{literal}"
    only = table.columns[0] if len(table.columns) == 1 and table.format == "csv" else ""
    if other := next((mark for mark in _OTHER_DELIMITERS if mark in only), None):
        hint += f" (--delimiter '{_OTHER_DELIMITERS[other]}' parts them)"
    elif near := did_you_mean(name, table.columns):
        hint += f"; {near}"
    elif table.format == "csv":
        hint += " (separated by commas; or use --format lines)"
    raise UsageError(f"the input has no {kind} {name}", hint=hint)


def delimiter_of(value: str | None) -> str | None:
    """Return the character that --delimiter names, where `\\t` is a tab.

    Raises UsageError if it is not one character, or is one that CSV needs for itself.
    """
    if value is None:
        return None
    mark = "\t" if value == "\\t" else value
    if len(mark) != 1 or mark in '"\r\n\0' or "\ud800" <= mark <= "\udfff":
        problem = f"--delimiter must be one character, not {value!r}"
        raise UsageError(problem, hint="\\t is a tab")
    return mark

"""The form of --csv: the columns of the input, then what came of each record (RFC 4180)."""

import re
from collections.abc import Sequence
from typing import Any

from llmcli.batch.results.entry import CSV
from llmcli.batch.results.formats import kept
from llmcli.batch.task import Outcome, Task
from llmcli.chat.prompt import placeholders
from llmcli.errors import UsageError
from llmcli.system.text import harmless

# The column of records that have no columns of their own, such as lines of text.
_INPUT = "input"
_ANSWER = "answer"
_ABOUT = ("ok", "error", "cost_usd")
_TO_QUOTE = re.compile('[,"\r\n]|^\\s|\\s$')


class CsvForm:
    """The form of --csv; a file of results keeps each row as a list in a JSON line.

    `columns` are the fields of the input, or None if it has none, and `names` what the header calls
    them. `schema` is that of the answers: each of its properties is a column in the place of
    `answer`. Raises UsageError for two columns of one name.
    """

    name = CSV
    gap = b""
    tells_lines_apart = True

    def __init__(
        self, columns: Sequence[str] | None, names: Sequence[str], schema: dict[str, Any] | None
    ) -> None:
        self._columns = columns or None
        self._left_out: dict[str, None] = {}  # a dict, as it keeps the order and each once
        properties = (schema or {}).get("properties")
        self._properties = list(properties) if isinstance(properties, dict) else []
        own = names if columns else [_INPUT]
        added = [*(self._properties or [_ANSWER]), *_ABOUT]
        for number, name in enumerate(added):
            if name in own or name in added[:number]:
                problem = f"--csv adds a column {name}, but there is one of that name"
                raise UsageError(
                    problem, hint="rename it in the input or the schema, or use --json"
                )
        self.head = _row([*own, *added])

    @property
    def left_out(self) -> Sequence[str]:
        """Return the keys of records for which the first record has no column."""
        return list(self._left_out)

    def to_line(self, outcome: Outcome) -> bytes:
        """Return the JSON line that keeps the row."""
        return kept(outcome, "row", self._cells(outcome))

    def shown(self, outcome: Outcome, *, terminal: bool) -> bytes:
        """Return the row of the outcome, harmless for a terminal if `terminal`."""
        cells = self._cells(outcome)
        return _row([harmless(cell) for cell in cells] if terminal else cells)

    def from_line(self, value: dict[str, Any] | None) -> bytes:
        """Return the row that a line keeps; nothing if `value` is None."""
        row = value.get("row") if value else None
        return _row([str(cell) for cell in row]) if isinstance(row, list) else b""

    def _cells(self, outcome: Outcome) -> list[str]:
        about, error = outcome.report["llmcli"], outcome.report["error"]
        ok = outcome.error is None
        answer = [outcome.text if ok else ""]
        if self._properties:
            parsed = about.get("parsed") if ok else None
            found = parsed if isinstance(parsed, dict) else {}
            answer = [_cell(found.get(name)) for name in self._properties]
        message = "" if error is None else _cell(error.get("message"))
        return [
            *self._of_input(outcome.task),
            *answer,
            "true" if ok else "false",
            message,
            _cell(about["cost_usd"]),
        ]

    def _of_input(self, task: Task) -> list[str]:
        value = task.value
        if self._columns is None:
            return [_cell(value)]
        # A JSON line that is no object, or that cannot be read, stands in the first column.
        fields = value if isinstance(value, dict) else {self._columns[0]: value}
        if task.problem is None and len(fields) > len(self._columns):
            self._left_out |= dict.fromkeys(key for key in fields if key not in self._columns)
        return [_cell(fields.get(name)) for name in self._columns]


def _cell(value: Any) -> str:
    return "" if value is None else placeholders.text(value)


def _row(cells: Sequence[str]) -> bytes:
    quoted = (f'"{c.replace(chr(34), chr(34) * 2)}"' if _TO_QUOTE.search(c) else c for c in cells)
    whole = ",".join(quoted)
    # A line without anything in it would be no row.
    return f"{whole or chr(34) * 2}\n".encode(errors="replace")

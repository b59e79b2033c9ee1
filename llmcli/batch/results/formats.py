"""The forms in which the answer to a record is written: text, a JSON line, a line in batch form."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from llmcli.batch.results.entry import BATCH, BATCH_LINES, JSON, TEXT
from llmcli.batch.task import Outcome
from llmcli.output.json import line
from llmcli.system.text import harmless

_LINE_END = re.compile(r"\r\n|\n|\r")


class Form(Protocol):
    """A form of answers: how they are kept in a file of results, and how the user reads them.

    A file of results always keeps JSON lines, so that a run can go on. In text form the user reads
    something else, which is made from those lines when the run ends.
    """

    @property
    def name(self) -> str:
        """Return the name of the form: one of TEXT, JSON, CSV and BATCH_LINES."""

    @property
    def head(self) -> bytes:
        """Return what stands before all answers, such as the header of CSV."""

    @property
    def tells_lines_apart(self) -> bool:
        """Return whether an answer of several lines can be told from several answers."""

    @property
    def left_out(self) -> Sequence[str]:
        """Return the names of fields of the input that had no place in the output so far."""

    @property
    def from_line(self) -> Callable[[dict[str, Any] | None], bytes] | None:
        """Return the function that makes what the user reads from a line of the file.

        Its argument is the object of the line, or None for a record without one. The property is
        None if the user reads the line itself.
        """

    @property
    def gap(self) -> bytes:
        """Return what stands in the place of a record that was not asked."""

    def to_line(self, outcome: Outcome) -> bytes:
        """Return the JSON line that a file of results keeps, with its newline."""

    def shown(self, outcome: Outcome, *, terminal: bool) -> bytes:
        """Return what the user reads; on a terminal control sequences are made harmless."""


class _JsonLines(ABC):
    """A form in which the user reads the lines that the file keeps."""

    from_line = None
    gap = head = b""
    tells_lines_apart = True
    left_out = ()

    @abstractmethod
    def to_line(self, outcome: Outcome) -> bytes: ...

    def shown(self, outcome: Outcome, *, terminal: bool) -> bytes:
        """Return the line as it is kept: JSON escapes control sequences already."""
        return self.to_line(outcome)


class JsonForm(_JsonLines):
    """The form of --json: `key`, `index`, `input`, `ok`, `text`, then the fields of `ask --json`.

    `text` is what the text form would show, null for a failure.
    """

    name = JSON

    def to_line(self, outcome: Outcome) -> bytes:
        """Return the JSON line of the outcome."""
        task = outcome.task
        about = {"key": task.key, "index": task.index, "input": task.value}
        ok = outcome.error is None
        return line({**about, "ok": ok, "text": outcome.text if ok else None, **outcome.report})


class BatchForm(_JsonLines):
    """The form of OpenAI's batch output, with the object `llmcli` beside its fields.

    It is described at https://platform.openai.com/docs/api-reference/batch/request-output.
    """

    name = BATCH_LINES

    def to_line(self, outcome: Outcome) -> bytes:
        """Return the line of the outcome; its `response` is null if no server answered."""
        report = dict(outcome.report)
        about, error = report.pop("llmcli"), report.pop("error")
        status = _status(about) or (200 if error is None else None)
        body = report if error is None else {"error": error}
        response = {"status_code": status, "request_id": about["request_id"], "body": body}
        return line(
            {
                "id": BATCH + outcome.task.key,
                "custom_id": outcome.task.custom_id,
                "response": response if status else None,
                "error": error,
                "llmcli": {**about, "index": outcome.task.index},
            }
        )


def _status(about: dict[str, Any]) -> int | None:
    """Return the HTTP status of the last attempt, where there was one."""
    return about["attempts"][-1]["status"] if about["attempts"] else None


def kept(outcome: Outcome, name: str, value: Any) -> bytes:
    """Return the JSON line that keeps `value` as `name`, with what a later run has to know."""
    task, error = outcome.task, outcome.error
    about: dict[str, Any] = {"key": task.key, "index": task.index, "ok": error is None}
    if error is not None:
        about["exit_code"] = int(error.exit_code)
    return line({**about, name: value})


class TextForm:
    """The form without --json: each answer as text that ends with a newline.

    If `ordered`, a record that failed or was not asked is an empty line. So line N of the output
    belongs to record N of the input, as long as the answers have one line each. With `one_line`
    they have: a line end within one is written `\\n`, and a backslash `\\\\`.
    """

    name = TEXT
    head = b""
    left_out = ()

    def __init__(self, *, ordered: bool, one_line: bool = False) -> None:
        self.gap = b"\n" if ordered else b""
        self.tells_lines_apart = one_line

    def to_line(self, outcome: Outcome) -> bytes:
        """Return the JSON line that keeps the text."""
        return kept(outcome, "text", outcome.text)

    def shown(self, outcome: Outcome, *, terminal: bool) -> bytes:
        """Return the text of the outcome, harmless for a terminal if `terminal`."""
        text = harmless(outcome.text) if terminal else outcome.text
        return self.from_line({"ok": outcome.error is None, "text": text})

    def from_line(self, value: dict[str, Any] | None) -> bytes:
        """Return the text that a line keeps; the gap for a failure, or if `value` is None."""
        if value is None or not value.get("ok"):
            return self.gap
        text = str(value.get("text", ""))
        if self.tells_lines_apart:
            text = _LINE_END.sub(r"\\n", text.removesuffix("\n").replace("\\", r"\\"))
        return (text if text.endswith("\n") else text + "\n").encode(errors="replace")


def all_shown(form: Form, lines: Iterable[dict[str, Any] | None]) -> Iterator[bytes]:
    """Yield what the user reads of a run: the head, and what `form` makes of each line.

    Without any answer there are no gaps either.
    """
    yield form.head
    assert form.from_line is not None
    answered, gaps = False, 0
    for value in lines:
        answered = answered or bool(value and value.get("ok"))
        if form.gap and not answered:
            gaps += 1
            continue
        yield form.gap * gaps + form.from_line(value)
        gaps = 0

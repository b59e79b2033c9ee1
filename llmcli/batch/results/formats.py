"""The forms in which the answer to a record is written: text, a JSON line, a line of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from llmcli.batch.results.file import BATCH, BATCH_LINES, JSON, TEXT
from llmcli.batch.worker import Outcome
from llmcli.output.json import line
from llmcli.system.text import harmless


class Form(Protocol):
    """`name` as an Entry has it; `in_file` is the line of JSON that a file of results keeps;
    `of_line` makes what is read of it, where that is something else."""

    @property
    def name(self) -> str: ...

    @property
    def of_line(self) -> Callable[[dict[str, Any] | None], bytes] | None: ...

    @property
    def gap(self) -> bytes:
        """What stands for a record that was not asked, in order."""

    def in_file(self, outcome: Outcome) -> bytes: ...

    def shown(self, outcome: Outcome, terminal: bool) -> bytes: ...


class _JsonLines(ABC):
    """What the file keeps is what is read."""

    of_line = None
    gap = b""

    @abstractmethod
    def in_file(self, outcome: Outcome) -> bytes: ...

    def shown(self, outcome: Outcome, terminal: bool) -> bytes:
        return self.in_file(outcome)


class JsonForm(_JsonLines):
    """`{"key", "index", "input", "ok", …the object of ask --json}`."""

    name = JSON

    def in_file(self, outcome: Outcome) -> bytes:
        task = outcome.task
        about = {"key": task.key, "index": task.index, "input": task.value}
        return line({**about, "ok": outcome.error is None, **outcome.report})


class BatchForm(_JsonLines):
    """https://platform.openai.com/docs/api-reference/batch/request-output, with our own object
    beside it."""

    name = BATCH_LINES

    def in_file(self, outcome: Outcome) -> bytes:
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
    return about["attempts"][-1]["status"] if about["attempts"] else None


class TextForm:
    """A line, or as many as the answer has. A failed record is an empty one, so that lines in
    order stay beside those of the input."""

    name = TEXT

    def __init__(self, ordered: bool) -> None:
        self._ordered = ordered
        self.gap = b"\n" if ordered else b""

    def in_file(self, outcome: Outcome) -> bytes:
        task = outcome.task
        about = {"key": task.key, "index": task.index, "ok": outcome.error is None}
        return line({**about, "text": outcome.text})

    def shown(self, outcome: Outcome, terminal: bool) -> bytes:
        text = harmless(outcome.text) if terminal else outcome.text
        return self.of_line({"ok": outcome.error is None, "text": text})

    def of_line(self, value: dict[str, Any] | None) -> bytes:
        if value is None or not value.get("ok"):
            return self.gap
        text = str(value.get("text", ""))
        return (text if text.endswith("\n") else text + "\n").encode(errors="replace")

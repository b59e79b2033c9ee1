"""--json: one object on stdout, on success and on failure alike."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from llmcli.api.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.api.unknown_fields import finite
from llmcli.errors import Interrupted, LlmcliError
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import Sink
from llmcli.system.stdio import STDOUT, write_all
from llmcli.system.text import UNSAFE

# The object for an error, or for success.
ReportOf = Callable[[LlmcliError | Interrupted | None], dict[str, Any]]


def line(value: Any, indent: int | None = None) -> bytes:
    """`value` as one line of valid UTF-8 JSON; as several with an indent."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:  # a number too large for a float, which has become infinite
        text = json.dumps(finite(value), ensure_ascii=False, indent=indent)
    return (escaped(text) + "\n").encode(errors="replace")


def escaped(text: str) -> str:
    """JSON means the same with escapes, and they are harmless if this goes to a terminal."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def print_json(value: Any) -> None:
    """A command's own output on stdout."""
    write_all(STDOUT, line(value, indent=2))


class JsonRenderer:
    def __init__(self, sink: Sink, thinking: Thinking, report: ReportOf) -> None:
        self._sink = sink
        self._thinking = thinking
        self._report = report

    committed = False  # all is written at the end

    def again(self, error: LlmcliError, wait: float) -> None:
        self._thinking.end()

    def show(self, deltas: Sequence[Delta]) -> None:
        self._thinking.show("".join([delta.reasoning for delta in deltas]))

    def pause(self) -> None:
        self._thinking.end()

    def next_turn(self, turn: dict[str, Any]) -> None:
        self._thinking.end()

    def result(self, message: Message) -> None:
        pass

    def finish(self, calls: Sequence[ToolCall]) -> None:
        self._thinking.end()
        self._sink.write(line(self._report(None)))
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """The file of -O keeps its last good answer, so the failure goes to stdout."""
        self._thinking.end()
        self._sink.abort(keep=False)
        write_all(STDOUT, line(self._report(error)))

"""JSON output: the renderer of --json, and `line`, by which all commands write JSON."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from llmcli.api.reply.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.api.unknown_fields import finite
from llmcli.errors import Interrupted, LlmcliError
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import Sink
from llmcli.system.stdio import STDOUT, write_all
from llmcli.system.text import UNSAFE

# A function that returns the object of --json for a failure, or for None, a success.
ReportOf = Callable[[LlmcliError | Interrupted | None], dict[str, Any]]


def line(value: Any, indent: int | None = None) -> bytes:
    """Return `value` as JSON in UTF-8 that ends in a newline.

    It is one line without `indent`, else several. It is harmless on a terminal, and valid as RFC
    8259 has it: numbers that are not finite become null, and lone surrogates `?`.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:  # a server sent a number such as 1e999, which Python reads as infinite
        text = json.dumps(finite(value), ensure_ascii=False, indent=indent)
    return (escaped(text) + "\n").encode(errors="replace")


def escaped(text: str) -> str:
    """Return the JSON `text` with control characters as Unicode escapes, which mean the same.

    A terminal would obey control sequences that a model or a server wrote.
    """
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def print_json(value: Any) -> None:
    """Write `value` to stdout as indented JSON, for commands such as `models --json`.

    Raise WriteError if stdout cannot be written, ReaderGone if its reader has closed it.
    """
    write_all(STDOUT, line(value, indent=2))


class JsonRenderer:
    """The renderer of --json, which writes one object at the end and only reasoning before.

    `report` makes the object.
    """

    committed = False  # nothing is written before the end

    def __init__(self, sink: Sink, thinking: Thinking, report: ReportOf) -> None:
        self._sink = sink
        self._thinking = thinking
        self._report = report

    def again(self, error: LlmcliError, wait: float) -> None:
        """End the line of reasoning."""
        self._thinking.end()

    def show(self, deltas: Sequence[Delta]) -> None:
        """Show the reasoning in `deltas`; their text waits for the object."""
        self._thinking.show("".join([delta.reasoning for delta in deltas]))

    def pause(self) -> None:
        """End the line of reasoning."""
        self._thinking.end()

    def next_turn(self, turn: dict[str, Any]) -> None:
        """End the line of reasoning; `turn` will stand in the object."""
        self._thinking.end()

    def result(self, message: Message) -> None:
        """Show nothing, since the object has no results of tools."""

    def finish(self, calls: Sequence[ToolCall]) -> None:
        """Write the object and commit the sink; `calls` stand in the object."""
        self._thinking.end()
        self._sink.write(line(self._report(None)))
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """Write the object to stdout, since a file named by -O keeps its last good answer."""
        self._thinking.end()
        self._sink.abort(keep=False)
        write_all(STDOUT, line(self._report(error)))

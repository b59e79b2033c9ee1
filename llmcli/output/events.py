"""The lines of --events: one JSON object for each thing that happens, and `end` as the last."""

from collections.abc import Iterator, Sequence
from typing import Any

from llmcli.api.reply.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.errors import Interrupted, LlmcliError
from llmcli.output.json import ReportOf, line
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import Sink
from llmcli.system.stdio import STDOUT, write_all


class EventsRenderer:
    """The renderer of --events.

    `report` makes the object of --json, which the event `end` carries. `committed` is true from the
    first piece of a turn's answer on, whatever the sink is, since events are never taken back.
    """

    def __init__(self, sink: Sink, thinking: Thinking, report: ReportOf) -> None:
        self._sink = sink
        self._thinking = thinking
        self._report = report
        self._ended = False
        self.committed = False

    def again(self, error: LlmcliError, wait: float) -> None:
        """Write a `retry` event."""
        self._thinking.end()
        self._emit("retry", status=error.status, reason=error.message, wait=round(wait, 3))

    def start(self, model: str) -> None:
        """Write the `start` event, which names the model that is asked."""
        self._emit("start", model=model)

    def show(self, deltas: Sequence[Delta]) -> None:
        """Write `reasoning`, `delta` and `tool_call` events, and show reasoning on stderr."""
        self.committed = True  # before the write, of which a part may go out and then fail
        self._thinking.show("".join([delta.reasoning for delta in deltas]))
        self._sink.write(b"".join(line(event) for delta in deltas for event in _events(delta)))

    def pause(self) -> None:
        """End the line of reasoning on stderr."""
        self._thinking.end()

    def next_turn(self, turn: dict[str, Any]) -> None:
        """Write a `turn` event; nothing of the next turn's answer is committed yet."""
        self._thinking.end()
        self._emit("turn", **turn)
        self.committed = False

    def result(self, message: Message) -> None:
        """Write a `tool_result` event."""
        self._emit("tool_result", **message)

    def finish(self, calls: Sequence[ToolCall]) -> None:
        """Write the `usage` and `end` events and commit the sink; `calls` stand in `end`."""
        self._end(None)
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """Write the `end` event with `error`, to stdout as well if the sink is a file.

        The file named by -O stays as it was; the events so far are kept beside it.
        """
        self._thinking.end()
        try:
            if not self._ended:
                self._end(error)
        finally:
            if kept := self._sink.abort(keep=True):
                error.add_note(f"the events so far are in {kept}")
        if self._sink.retractable:
            before_start(self._report(error))

    def _end(self, error: LlmcliError | Interrupted | None) -> None:
        report = self._report(error)
        about = report["llmcli"]
        if report["usage"] is not None:
            cost = {key: about[key] for key in ("cost_usd", "cost_source")}
            self._emit("usage", usage=report["usage"], **cost)
        # Before the write: if it fails, `fail` must not write a second `end` behind a torn one.
        self._ended = True
        self._emit("end", **report)

    def _emit(self, event: str, **fields: Any) -> None:
        self._sink.write(line({"event": event, **fields}))


def _events(delta: Delta) -> Iterator[dict[str, Any]]:
    of = {"index": delta.choice} if delta.choice else {}  # of the choice, if there are several
    if delta.reasoning:
        yield {"event": "reasoning", "content": delta.reasoning, **of}
    if delta.text:
        yield {"event": "delta", "content": delta.text, **of}
    for call in delta.tool_calls:
        yield {"event": "tool_call", "tool_call": call, **of}


def before_start(report: dict[str, Any]) -> None:
    """Write the `end` event to stdout, for a run that failed before its sink was open.

    It also serves a run whose sink is a file, which keeps its last good answer. Raise WriteError
    if stdout cannot be written.
    """
    write_all(STDOUT, line({"event": "end", **report}))

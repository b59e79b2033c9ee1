"""--events: one JSON object a line as things happen, and always a last `end`."""

from collections.abc import Iterator, Sequence
from typing import Any

from llmcli.api.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.errors import Interrupted, LlmcliError
from llmcli.output.json import ReportOf, line
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import Sink
from llmcli.system.stdio import STDOUT, write_all


class EventsRenderer:
    def __init__(self, sink: Sink, thinking: Thinking, report: ReportOf) -> None:
        self._sink = sink
        self._thinking = thinking
        self._report = report
        self._ended = False
        self.committed = False

    def again(self, error: LlmcliError, wait: float) -> None:
        self._thinking.end()
        self._emit("retry", status=error.status, reason=error.message, wait=round(wait, 3))

    def start(self, model: str) -> None:
        self._emit("start", model=model)

    def show(self, deltas: Sequence[Delta]) -> None:
        self.committed = True
        self._thinking.show("".join([delta.reasoning for delta in deltas]))
        self._sink.write(b"".join(line(event) for delta in deltas for event in _events(delta)))

    def pause(self) -> None:
        self._thinking.end()

    def next_turn(self, turn: dict[str, Any]) -> None:
        self._thinking.end()
        self._emit("turn", **turn)
        self.committed = False

    def result(self, message: Message) -> None:
        self._emit("tool_result", **message)

    def finish(self, calls: Sequence[ToolCall]) -> None:
        self._end(None)
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """A file that is not to be replaced gets no `end`: that goes to stdout, as all there is."""
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
        self._ended = True
        self._emit("end", **report)

    def _emit(self, event: str, **fields: Any) -> None:
        self._sink.write(line({"event": event, **fields}))


def _events(delta: Delta) -> Iterator[dict[str, Any]]:
    if delta.reasoning:
        yield {"event": "reasoning", "content": delta.reasoning}
    if delta.text:
        yield {"event": "delta", "content": delta.text}
    for call in delta.tool_calls:
        yield {"event": "tool_call", "tool_call": call}


def before_start(report: dict[str, Any]) -> None:
    """The `end` of a run that failed without a sink that stays."""
    write_all(STDOUT, line({"event": "end", **report}))

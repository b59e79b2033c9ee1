"""The output that the options ask for, opened before anything is sent."""

from collections.abc import Sequence
from typing import Any

from llmcli.api.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.chat.call import Call
from llmcli.chat.report import report, summary, usage_record
from llmcli.config.options import AskOptions
from llmcli.errors import Interrupted, LlmcliError, UsageError
from llmcli.output import events
from llmcli.output.events import EventsRenderer
from llmcli.output.json import JsonRenderer, line
from llmcli.output.reasoning import Thinking
from llmcli.output.renderer import Renderer
from llmcli.output.sink import open_sink
from llmcli.output.text import TextRenderer
from llmcli.output.usage_file import UsageFile
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR, STDOUT, write_all


class Output:
    """Renderer, usage line and usage file in one. Until `open`, only failure can be told.

    With --no-stream nothing is shown before the end, so that a broken answer can still be asked
    for again. Where the answer is to have a shape, only at the end it is known what of the text is
    shown.
    """

    def __init__(self, environment: Environment, options: AskOptions, call: Call) -> None:
        shape = options.shape
        shaped = shape.schema is not None or shape.extract or shape.yes_no
        self._environment = environment
        self._options = options.output
        self._call = call
        self._renderer: Renderer | None = None
        self._usage_file: UsageFile | None = None
        self._hold = options.sampling.no_stream
        self._last_turn_only = shaped and not (self._options.json or self._options.events)
        self._arrived: list[Delta] = []
        self._held: list[Delta] = []
        self._recorded = False
        self._finished = False

    def open(self) -> None:
        """Raises UsageError, CantCreate and WriteError."""
        options, call = self._options, self._call
        if options.json and options.events:
            raise UsageError("--json and --events exclude each other")
        if options.usage_file:
            self._usage_file = UsageFile(options.usage_file)
        thinking = Thinking(self._environment, wanted=options.show_reasoning)
        sink = open_sink(self._environment, options.output)
        if options.json:
            self._renderer = JsonRenderer(sink, thinking, self._report)
        elif options.events:
            renderer = EventsRenderer(sink, thinking, self._report)
            self._renderer = renderer
            renderer.start(call.model or "")
        else:
            self._renderer = TextRenderer(sink, thinking, newline=not options.no_newline)

    @property
    def committed(self) -> bool:
        return self._renderer is not None and self._renderer.committed

    def again(self, error: LlmcliError, wait: float) -> None:
        """Take back what was shown. Silent in a cron job that succeeds in the end."""
        self._arrived.clear()
        self._held.clear()
        self._call.discard()
        assert self._renderer is not None
        self._renderer.again(error, wait)
        if self._options.verbose or self._environment.is_terminal(STDERR):
            self._environment.note(f"{error.message}; trying again in {wait:.1f} s")

    def show(self, delta: Delta) -> None:
        """Shown with what has arrived at the same time, by `flush`."""
        self._arrived.append(delta)

    def flush(self) -> None:
        assert self._renderer is not None
        arrived, self._arrived = self._arrived, []
        if self._last_turn_only:
            self._held += [Delta(text=delta.text) for delta in arrived]
            arrived = [Delta(reasoning=delta.reasoning) for delta in arrived]
        elif self._hold:
            self._held += arrived
            return
        if arrived:
            self._renderer.show(arrived)

    def _release(self) -> None:
        assert self._renderer is not None
        held, self._held = self._held, []
        if held:
            self._renderer.show(held)

    def pause(self) -> None:
        """Tools are about to speak."""
        assert self._renderer is not None
        if not self._last_turn_only:
            self._release()
        self._renderer.pause()

    def next_turn(self) -> None:
        """The answer was no end: tools are run, or it is asked for again in the right shape."""
        assert self._renderer is not None
        if self._last_turn_only:
            self._held.clear()
        self._release()
        self._renderer.next_turn(self._call.next_turn().report())

    def result(self, message: Message) -> None:
        assert self._renderer is not None
        self._renderer.result(message)

    def finish(self, calls: Sequence[ToolCall], text: str | None) -> None:
        """`calls` are for the caller to answer; `text` stands for the answer's own."""
        assert self._renderer is not None
        if text is not None and self._last_turn_only:
            self._held = [Delta(text=text)]
        self._release()
        if self._options.json or self._options.events:
            self._record(None)  # its failure must be in the object
        self._renderer.finish(calls)
        self._finished = True
        self._record(None)
        for warning in self._call.trace.warnings:
            self._environment.note(f"warning: {warning}")
        self._environment.note(summary(self._call))

    def _report(self, error: LlmcliError | Interrupted | None) -> dict[str, Any]:
        return report(self._call, error)

    def _record(self, error: LlmcliError | Interrupted | None) -> None:
        """One line for a run in --usage-file, whatever still happens."""
        if self._usage_file and self._call.trace.attempts and not self._recorded:
            self._recorded = True
            self._usage_file.append(usage_record(self._call, error))

    def fail(self, error: LlmcliError | Interrupted) -> None:
        if self._finished:
            return  # the answer is out, and whole
        kept = self._call.accumulator.chars
        if isinstance(error, Interrupted) and self.committed and kept:
            error.add_note(f"{kept} chars kept")
        try:
            self._show_failure(error)
        finally:
            self._record(error)

    def _show_failure(self, error: LlmcliError | Interrupted) -> None:
        if self._renderer:
            self.flush()  # a signal can come before all that arrived was shown
            self._release()
            self._renderer.fail(error)
        elif self._options.json:
            write_all(STDOUT, line(self._report(error)))
        elif self._options.events:
            events.before_start(self._report(error))
        if self._call.bill.usage():
            self._environment.note(summary(self._call))

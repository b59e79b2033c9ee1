"""The output that the options ask for, opened before anything is sent."""

from ..call import Call
from ..completion import Completion, Delta
from ..environment import STDOUT, Environment, write_all
from ..errors import Interrupted, LlmcliError, UsageError
from ..options import OutputOptions
from . import events, usage
from .events import EventsRenderer
from .json import JsonRenderer, line
from .renderer import Renderer
from .sink import StdoutSink, open_sink
from .text import TextRenderer
from .thinking import Thinking


class Output:
    """Renderer, usage line and usage file in one. Until `open`, only failure can be told."""

    def __init__(self, environment: Environment, options: OutputOptions, call: Call) -> None:
        self._environment = environment
        self._options = options
        self._call = call
        self._renderer: Renderer | None = None
        self._usage_file: usage.UsageFile | None = None
        if options.json and options.events:
            raise UsageError("--json and --events exclude each other")

    def open(self) -> None:
        """Raises CantCreate and WriteError."""
        options, call = self._options, self._call
        if options.usage_file:
            self._usage_file = usage.UsageFile(options.usage_file)
        thinking = Thinking(self._environment, options.show_reasoning)
        sink = open_sink(self._environment, options.output)
        if options.json:
            self._renderer = JsonRenderer(sink, thinking, call.report)
        elif options.events:
            renderer = EventsRenderer(sink, thinking, call.report)
            self._renderer = renderer
            renderer.start(call.model or "")
        else:
            to_terminal = isinstance(sink, StdoutSink) and self._environment.is_terminal(STDOUT)
            self._renderer = TextRenderer(sink, thinking, to_terminal, not options.no_newline)

    def show(self, delta: Delta) -> None:
        assert self._renderer is not None
        self._renderer.show(delta)

    def finish(self, completion: Completion) -> None:
        assert self._renderer is not None
        self._renderer.finish(completion)
        for warning in self._call.warnings:
            self._environment.note(f"warning: {warning}")
        self._environment.note(usage.summary(self._call))
        if self._usage_file:
            self._usage_file.append(self._call, None)

    def fail(self, error: LlmcliError | Interrupted) -> None:
        if self._renderer:
            self._renderer.fail(error)
        elif self._options.json:
            write_all(STDOUT, line(self._call.report(error)))
        elif self._options.events:
            events.before_start(self._call.report(error))
        if self._call.accumulator.usage:
            self._environment.note(usage.summary(self._call))
        if self._usage_file and self._call.trace.attempts:
            self._usage_file.append(self._call, error)

"""The output of `ask`: the answer in the form that the options ask for, and what is said of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmcli.api.reply.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.chat.call import Call
from llmcli.chat.report import report, summary, usage_record
from llmcli.config.options import AskOptions
from llmcli.errors import Interrupted, LlmcliError, UsageError
from llmcli.output.json import JsonRenderer, line
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import open_sink
from llmcli.output.text import TextRenderer
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR, STDOUT, write_all

if TYPE_CHECKING:
    from llmcli.output.renderer import Renderer
    from llmcli.output.usage_file import UsageFile


class Output:
    """The observer of `ask`: a renderer for the answer, the usage line and the usage file.

    Before `open` it can only report a failure, in the form that the options ask for.

    Text is held back in two cases. With --no-stream it is held to the end of the turn, so that a
    broken answer can be asked for again. For an answer with a shape it is held to the end of the
    run, as only then it is known which part of the text is shown.
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
        """Open all that is written to, before anything is sent and paid for.

        Raise UsageError for --json with --events, CantCreate for a file that cannot be opened, and
        WriteError if stdout cannot be written.
        """
        options, call = self._options, self._call
        if options.json and options.events:
            raise UsageError("--json and --events exclude each other")
        if options.usage_file:
            from llmcli.output.usage_file import UsageFile  # noqa: PLC0415  # few runs have one

            self._usage_file = UsageFile(options.usage_file)
        thinking = Thinking(self._environment, wanted=options.show_reasoning)
        sink = open_sink(self._environment, options.output)
        if options.json:
            self._renderer = JsonRenderer(sink, thinking, self._report)
        elif options.events:
            from llmcli.output.events import EventsRenderer  # noqa: PLC0415  # text is the usual form

            renderer = EventsRenderer(sink, thinking, self._report)
            self._renderer = renderer
            renderer.start(call.model or "")
        else:
            self._renderer = TextRenderer(sink, thinking, newline=not options.no_newline)

    @property
    def committed(self) -> bool:
        """Return whether a part of this turn's answer was written and cannot be taken back."""
        return self._renderer is not None and self._renderer.committed

    def again(self, error: LlmcliError, wait: float) -> None:
        """Take back what was shown of an attempt; the next begins in `wait` seconds.

        Note it on stderr on a terminal or with -v only: cron mails what is written there, and a
        job that succeeds in the end is nothing to tell.
        """
        self._arrived.clear()
        self._held.clear()
        self._call.discard()
        assert self._renderer is not None
        self._renderer.again(error, wait)
        if self._options.verbose or self._environment.is_terminal(STDERR):
            self._environment.note(f"{error.message}; trying again in {wait:.1f} s")

    def show(self, delta: Delta) -> None:
        """Take a piece of the answer, to be shown by the next `flush`.

        Of several choices only the first is shown as it arrives, but in events, which name them.
        """
        if not delta.beside or self._options.events:
            self._arrived.append(delta)

    def flush(self) -> None:
        """Show the pieces that arrived, but for the text that is held back."""
        assert self._renderer is not None
        arrived, self._arrived = self._arrived, []
        if self._last_turn_only:  # reasoning is shown at once all the same, on stderr
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
        """Show what was held and end its line, since tools are about to write to the terminal."""
        assert self._renderer is not None
        if not self._last_turn_only:
            self._release()
        self._renderer.pause()

    def next_turn(self) -> None:
        """End a turn whose answer leads to another request, and count it in the call."""
        assert self._renderer is not None
        if self._last_turn_only:
            self._held.clear()
        self._release()
        self._renderer.next_turn(self._call.next_turn().report())

    def result(self, message: Message) -> None:
        """Show the message that holds the result of a tool call, if the form has a place for it."""
        assert self._renderer is not None
        self._renderer.result(message)

    def finish(self, calls: Sequence[ToolCall], text: str | None) -> None:
        """End a good answer: show what was held, commit it, and report usage and warnings.

        `calls` are tool calls left to the caller. `text` replaces the text of an answer with a
        shape; None leaves it as it came. Raise WriteError if the output cannot be written.
        """
        assert self._renderer is not None
        if text is not None and self._last_turn_only:
            self._held = [Delta(text=text)]
        self._release()
        if self._options.json or self._options.events:
            self._record(None)  # before the object is written, which must tell of its failure
        self._renderer.finish(calls)
        self._finished = True
        # As text the answer goes first: a usage file that is full must not cost it.
        self._record(None)
        for warning in self._call.trace.warnings:
            self._environment.note(f"warning: {warning}")
        self._environment.note(summary(self._call))

    def _report(self, error: LlmcliError | Interrupted | None) -> dict[str, Any]:
        return report(self._call, error)

    def _record(self, error: LlmcliError | Interrupted | None) -> None:
        """Append the line of --usage-file, once a run, and only if a request was begun."""
        if self._usage_file and self._call.trace.attempts and not self._recorded:
            self._recorded = True
            self._usage_file.append(usage_record(self._call, error))

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """Report `error` in the form that the options ask for, and usage if there was any.

        Nothing is done once the answer is out. Notes are added to `error` on what was kept of it.
        """
        if self._finished:
            return
        written = self._call.accumulator.chars
        if isinstance(error, Interrupted) and self.committed and written:
            error.add_note(f"{written} chars kept")
        try:
            self._show_failure(error)
        finally:
            self._record(error)

    def _show_failure(self, error: LlmcliError | Interrupted) -> None:
        if self._renderer:
            self.flush()  # a signal can end the run before all that arrived was shown
            self._release()
            self._renderer.fail(error)
        elif self._options.json:
            write_all(STDOUT, line(self._report(error)))
        elif self._options.events:
            from llmcli.output import events  # noqa: PLC0415  # text is the usual form

            events.before_start(self._report(error))
        if self._call.bill.usage():
            self._environment.note(summary(self._call))

"""The answer as plain text, written as it arrives."""

from collections.abc import Sequence
from typing import Any

from llmcli.api.reply.completion import Delta
from llmcli.api.reply.tool_calls import as_json
from llmcli.api.types import Message, ToolCall
from llmcli.errors import AnswerCut, BadRequest, Interrupted, LlmcliError, WriteError
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import Sink
from llmcli.system.text import harmless


class TextRenderer:
    """The renderer of text, which makes control sequences harmless on a terminal only.

    `newline` says whether a last line that lacks its newline is given one at the end.
    """

    def __init__(self, sink: Sink, thinking: Thinking, *, newline: bool) -> None:
        self._sink = sink
        self._thinking = thinking
        self._terminal = sink.terminal
        self._newline = newline
        self._last = ""  # the last character that was written
        self._begun = False  # whether any text of this turn was written

    @property
    def committed(self) -> bool:
        """Return whether text of this turn was written to a sink that cannot take it back."""
        return self._begun and not self._sink.retractable

    def again(self, error: LlmcliError, wait: float) -> None:
        """Take back the text of this turn: the sink is a file, or nothing was written to it."""
        self._thinking.end()
        self._sink.clear()
        self._begun, self._last = False, "\n"

    def show(self, deltas: Sequence[Delta]) -> None:
        """Write the text of `deltas` to the sink and their reasoning to stderr, in their order."""
        # Text is joined up to the next reasoning, so that what arrived together is one write.
        texts: list[str] = []
        for delta in deltas:
            if delta.reasoning:
                self._show_text(texts)
                self._thinking.show(delta.reasoning)
            if delta.text:
                texts.append(delta.text)
        self._show_text(texts)

    def _show_text(self, texts: list[str]) -> None:
        if texts:
            self._thinking.end()
            self._write("".join(texts))
            texts.clear()

    def pause(self) -> None:
        """End the open line, of reasoning and of text."""
        self._thinking.end()
        self._begin_line()

    def next_turn(self, turn: dict[str, Any]) -> None:
        """End the line of a turn whose text stays, so that the next turn begins on its own line."""
        self.pause()
        self._sink.keep()
        self._begun = False

    def result(self, message: Message) -> None:
        """Show nothing: results of tools are for the model."""

    def finish(self, calls: Sequence[ToolCall]) -> None:
        """Write `calls` as one line of JSON each behind the text, and commit the sink."""
        self._thinking.end()
        if calls:
            self._begin_line()
            self._write("".join(f"{as_json(call)}\n" for call in calls))
        self._end_line()
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """Keep the text as it came, and say where in a note on `error`.

        A newline is added only to an answer that was cut by its length, and on a terminal, where
        the message must begin on a new line.
        """
        self._thinking.end()
        if isinstance(error, AnswerCut) or self._terminal:
            self._end_line()
        what = "answer" if isinstance(error, BadRequest) else "partial answer"
        if kept := self._sink.abort(keep=True):
            error.add_note(f"{what} kept in {kept}")
        elif self._begun and not isinstance(error, (Interrupted, WriteError)):
            error.add_note(f"{what} kept on {self._sink.place}")

    def _write(self, text: str) -> None:
        self._begun, self._last = True, text[-1]  # before the write, which a signal can end
        self._sink.write((harmless(text) if self._terminal else text).encode(errors="replace"))

    def _begin_line(self) -> None:
        if self._last not in ("", "\n"):
            self._write("\n")

    def _end_line(self) -> None:
        if self._newline:
            self._begin_line()

"""Plain text, as it arrives."""

import json
from collections.abc import Sequence
from typing import Any

from llmcli.api.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.errors import BROKEN_OFF, AnswerCut, Interrupted, LlmcliError
from llmcli.output.reasoning import Thinking
from llmcli.output.sink import Sink
from llmcli.system.text import harmless


class TextRenderer:
    """Control sequences are made harmless where the text goes to a terminal."""

    def __init__(self, sink: Sink, thinking: Thinking, newline: bool) -> None:
        self._sink = sink
        self._thinking = thinking
        self._terminal = sink.terminal
        self._newline = newline
        self._last = ""
        self._begun = False

    @property
    def committed(self) -> bool:
        return self._begun and not self._sink.retractable

    def again(self, error: LlmcliError, wait: float) -> None:
        self._thinking.end()
        self._sink.clear()
        self._begun, self._last = False, "\n"

    def show(self, deltas: Sequence[Delta]) -> None:
        texts: list[str] = []
        for text, reasoning, _ in deltas:
            if reasoning:
                self._show_text(texts)
                self._thinking.show(reasoning)
            if text:
                texts.append(text)
        self._show_text(texts)

    def _show_text(self, texts: list[str]) -> None:
        if texts:
            self._thinking.end()
            self._write("".join(texts))
            texts.clear()

    def pause(self) -> None:
        self._thinking.end()
        self._begin_line()

    def next_turn(self, turn: dict[str, Any]) -> None:
        """What the model says before it calls a tool is a paragraph of its own."""
        self.pause()
        self._sink.keep()
        self._begun = False

    def result(self, message: Message) -> None:
        pass

    def finish(self, calls: Sequence[ToolCall]) -> None:
        self._thinking.end()
        for call in calls:
            self._begin_line()
            self._write(json.dumps(call, ensure_ascii=False) + "\n")
        self._end_line()
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """What came stays as it came; only an answer cut by length is a whole line, and on a
        terminal the message begins on a line of its own."""
        self._thinking.end()
        if isinstance(error, AnswerCut) or self._terminal:
            self._end_line()
        if kept := self._sink.abort(keep=True):
            error.add_note(f"partial answer kept in {kept}")
        elif self._begun and isinstance(error, BROKEN_OFF):
            error.add_note("partial answer kept")

    def _write(self, text: str) -> None:
        self._begun, self._last = True, text[-1]  # first, as a signal can come in between
        self._sink.write((harmless(text) if self._terminal else text).encode(errors="replace"))

    def _begin_line(self) -> None:
        if self._last not in ("", "\n"):
            self._write("\n")

    def _end_line(self) -> None:
        if self._newline:
            self._begin_line()

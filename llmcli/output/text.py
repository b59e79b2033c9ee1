"""Plain text, as it arrives."""

import json

from ..completion import Completion, Delta
from ..errors import AnswerCut, Interrupted, LlmcliError
from ..terminal import harmless
from .sink import Sink
from .thinking import Thinking


class TextRenderer:
    """Control sequences are made harmless where the text goes to a terminal."""

    def __init__(self, sink: Sink, thinking: Thinking, newline: bool) -> None:
        self._sink = sink
        self._thinking = thinking
        self._terminal = sink.terminal
        self._newline = newline
        self._last = ""

    @property
    def committed(self) -> bool:
        return bool(self._last) and not self._sink.retractable

    def again(self, error: LlmcliError, wait: float) -> None:
        self._thinking.end()
        self._sink.clear()
        self._last = ""

    def show(self, delta: Delta) -> None:
        self._thinking.show(delta.reasoning)
        if delta.text:
            self._thinking.end()
            self._write(delta.text)

    def finish(self, completion: Completion) -> None:
        self._thinking.end()
        for call in completion.tool_calls:
            self._end_line()
            self._write(json.dumps(call, ensure_ascii=False) + "\n")
        self._end_line()
        self._sink.commit()

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """What came stays as it came; only an answer cut by length is a whole line, and on a
        terminal the message begins on a line of its own."""
        self._thinking.end()
        if isinstance(error, AnswerCut) or self._terminal:
            self._end_line()
        if kept := self._sink.abort(keep=not isinstance(error, Interrupted)):
            error.message = error.message.removesuffix("; partial answer kept")
            error.message += f"; partial answer kept in {kept}"

    def _write(self, text: str) -> None:
        self._last = text[-1]  # first, as a signal can come in between
        self._sink.write((harmless(text) if self._terminal else text).encode(errors="replace"))

    def _end_line(self) -> None:
        if self._newline and self._last not in ("", "\n"):
            self._write("\n")

"""A model's thinking: shown on stderr while it goes on, never on stdout."""

import os

from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR
from llmcli.system.text import harmless


class Thinking:
    def __init__(self, environment: Environment, wanted: bool) -> None:
        self._terminal = environment.is_terminal(STDERR)
        self._shown = wanted or self._terminal
        self._open = False
        term = environment.variables.get("TERM", "dumb")
        self._dim = self._terminal and term != "dumb" and "NO_COLOR" not in environment.variables

    def show(self, text: str) -> None:
        if self._shown and text:
            shown = harmless(text) if self._terminal else text
            self._write(f"\x1b[2m{shown}\x1b[22m" if self._dim else shown)
            self._open = not text.endswith("\n")

    def end(self) -> None:
        """The answer, or a message, begins on a line of its own."""
        if self._open:
            self._write("\n")
            self._open = False

    @staticmethod
    def _write(text: str) -> None:
        try:
            os.write(STDERR, text.encode(errors="replace"))
        except OSError:
            pass  # stderr is not worth the answer

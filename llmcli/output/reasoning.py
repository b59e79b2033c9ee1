"""The reasoning of a model, shown on stderr while it arrives and never on stdout."""

import os

from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR
from llmcli.system.text import harmless


class Thinking:
    """A writer of reasoning to stderr, dimmed where that is a terminal with colours.

    Reasoning is shown if stderr is a terminal or if `wanted` (--show-reasoning).
    """

    def __init__(self, environment: Environment, *, wanted: bool) -> None:
        self._terminal = environment.is_terminal(STDERR)
        self._shown = wanted or self._terminal
        self._open = False  # whether the last line that was written lacks its end
        term = environment.variables.get("TERM", "dumb")
        no_color = environment.variables.get("NO_COLOR")  # an empty one is none: no-color.org
        self._dim = self._terminal and term != "dumb" and not no_color

    def show(self, text: str) -> None:
        """Write a piece of reasoning."""
        if self._shown and text:
            shown = harmless(text) if self._terminal else text
            # Dimmed piece by piece, so that a run that is killed leaves no dimmed terminal.
            self._write(f"\x1b[2m{shown}\x1b[22m" if self._dim else shown)
            self._open = not text.endswith("\n")

    def end(self) -> None:
        """End the line of reasoning, if one is open, before the answer or a message is written."""
        if self._open:
            self._write("\n")
            self._open = False

    @staticmethod
    def _write(text: str) -> None:
        try:
            os.write(STDERR, text.encode(errors="replace"))
        except OSError:
            pass  # a closed or full stderr must not cost the answer

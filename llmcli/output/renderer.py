"""The interface that every form of output has: text, --json and --events."""

from collections.abc import Sequence
from typing import Any, Protocol

from llmcli.api.reply.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.errors import Interrupted, LlmcliError


class Renderer(Protocol):
    """A form of output, which writes the answer to a sink and reasoning to stderr."""

    @property
    def committed(self) -> bool:
        """Return whether a part of this turn's answer was written and cannot be taken back."""

    def again(self, error: LlmcliError, wait: float) -> None:
        """Take back what was shown of this attempt, since the next begins in `wait` seconds."""

    def show(self, deltas: Sequence[Delta]) -> None:
        """Show pieces of the answer that arrived at the same time."""

    def pause(self) -> None:
        """Leave the terminal on a new line, since tools are about to write to it."""

    def next_turn(self, turn: dict[str, Any]) -> None:
        """End a turn whose answer leads to another request, and keep what it showed.

        `turn` is the turn as it stands in the object of --json.
        """

    def result(self, message: Message) -> None:
        """Take the message that holds the result of a tool call."""

    def finish(self, calls: Sequence[ToolCall]) -> None:
        """End a whole answer and commit the sink; `calls` are tool calls left to the caller.

        Raise WriteError if the sink cannot be written.
        """

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """End a run that failed with `error`, and keep what came in the form that was asked for.

        Add a note to `error` if a part of the answer was kept.
        """

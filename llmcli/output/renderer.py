"""The seam: what every form of output can do."""

from collections.abc import Sequence
from typing import Any, Protocol

from llmcli.api.completion import Delta
from llmcli.api.types import Message, ToolCall
from llmcli.errors import Interrupted, LlmcliError


class Renderer(Protocol):
    @property
    def committed(self) -> bool:
        """Something of the answer was written where it cannot be taken back."""

    def again(self, error: LlmcliError, wait: float) -> None:
        """Take back what was shown: the request is sent again in `wait` seconds."""

    def show(self, deltas: Sequence[Delta]) -> None:
        """Pieces of the answer that landed together."""

    def pause(self) -> None:
        """Others write to the terminal for a while."""

    def next_turn(self, turn: dict[str, Any]) -> None:
        """A turn has ended and is answered by another request; what it showed stays."""

    def result(self, message: Message) -> None:
        """What a tool gave."""

    def finish(self, calls: Sequence[ToolCall]) -> None:
        """The answer is whole: end the output and make it stay. `calls` are for the caller."""

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """The answer is not whole: keep what there is, in the form that was asked for."""

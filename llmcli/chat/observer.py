"""Who watches one answer come into being: the seam between the conversation and what is shown."""

from typing import Protocol

from llmcli.api.completion import Delta
from llmcli.api.types import Message
from llmcli.chat.call import Call
from llmcli.errors import LlmcliError


class Observer(Protocol):
    """Told of an answer while it arrives, of attempts that fail, and of the turns between."""

    @property
    def committed(self) -> bool:
        """Return whether something of the answer was written where it cannot be taken back."""

    def show(self, delta: Delta) -> None:
        """Take a piece, to be shown with what has arrived at the same time."""

    def flush(self) -> None:
        """Show what was taken: no more of the answer is there yet."""

    def again(self, error: LlmcliError, wait: float) -> None:
        """Forget what was shown; the next attempt begins in `wait` seconds."""

    def pause(self) -> None:
        """Make way: tools are about to speak."""

    def result(self, message: Message) -> None:
        """Take what a tool gave."""

    def next_turn(self) -> None:
        """End a turn: the answer is followed by another request."""


class Silent:
    """Nobody watches: one answer of many."""

    committed = False

    def __init__(self, call: Call) -> None:
        self._call = call

    def show(self, delta: Delta) -> None:
        pass

    def flush(self) -> None:
        pass

    def again(self, error: LlmcliError, wait: float) -> None:
        self._call.discard()
        self._call.trace.log(f"{error.message}; trying again in {wait:.1f} s")

    def pause(self) -> None:
        pass

    def result(self, message: Message) -> None:
        pass

    def next_turn(self) -> None:
        self._call.next_turn()

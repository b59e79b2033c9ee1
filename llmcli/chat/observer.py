"""The observer of an answer: the interface between the conversation and what shows it."""

from typing import Protocol

from llmcli.api.reply.completion import Delta
from llmcli.api.types import Message
from llmcli.chat.call import Call
from llmcli.errors import LlmcliError


class Observer(Protocol):
    """What is told of an answer while it arrives, of attempts that fail and of turns that end."""

    @property
    def committed(self) -> bool:
        """Return whether a part of this turn's answer was written and cannot be taken back."""

    def show(self, delta: Delta) -> None:
        """Take a piece of the answer, to be shown by the next `flush`."""

    def flush(self) -> None:
        """Show the pieces taken since the last `flush`, since no more have arrived yet."""

    def again(self, error: LlmcliError, wait: float) -> None:
        """Forget the answer of an attempt that failed; the next begins in `wait` seconds."""

    def pause(self) -> None:
        """Stop writing to the terminal, since tools are about to write to it."""

    def result(self, message: Message) -> None:
        """Take the message that holds the result of a tool call."""

    def next_turn(self) -> None:
        """End a turn whose answer leads to another request."""


class Silent:
    """The observer of `map`, which shows nothing while the answer to a record arrives.

    It records in `call` which attempts failed and which turns ended, as every observer does.
    """

    committed = False

    def __init__(self, call: Call) -> None:
        self._call = call

    def show(self, delta: Delta) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def again(self, error: LlmcliError, wait: float) -> None:
        """Discard the attempt, and log the retry for -v."""
        self._call.discard()
        self._call.trace.log(f"{error.message}; trying again in {wait:.1f} s")

    def pause(self) -> None:
        """Do nothing."""

    def result(self, message: Message) -> None:
        """Do nothing."""

    def next_turn(self) -> None:
        """Count a turn of the call."""
        self._call.next_turn()

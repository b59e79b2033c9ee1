"""The state of one call to a model: what is asked, what has come back and what it cost."""

from collections.abc import Callable
from typing import Any

from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.trace import Trace
from llmcli.api.types import ToolCall
from llmcli.errors import ExitCode
from llmcli.spending.bill import Bill, Turn
from llmcli.system.dataclass import dataclass, field


@dataclass
class Call:
    """The requests that lead to one answer.

    A turn is a request and its answer; tool calls and repairs lead to further turns. Each turn
    takes one or more attempts.

    `trace` has the attempts, times and warnings; `bill` has usage, cost and the current answer.
    `model` is the id that is asked for, `provider` the name of who is asked, if that is to be told.
    `tag` and `session` are names for the records of the call.
    `known_models` returns the model ids of the endpoint, to suggest one for an unknown id.
    `redact` returns a text without secrets.
    `shape` has the fields that --json adds for an answer with a shape, such as `parsed`.
    `exit_code` is that of the process if the answer is good.
    `open_calls` are the tool calls left to the caller, with the ids that results refer to.
    """

    trace: Trace
    bill: Bill = field(default_factory=Bill)
    model: str | None = None
    provider: str | None = None
    tag: str | None = None
    session: str | None = None
    known_models: Callable[[], list[str]] = list
    redact: Callable[[str], str] = str
    shape: dict[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.OK
    open_calls: list[ToolCall] = field(default_factory=list)

    @property
    def accumulator(self) -> Accumulator:
        """Return the answer of the current attempt as far as it has come."""
        return self.bill.accumulator

    def next_turn(self) -> Turn:
        """End the current turn, begin the next and return the one that has ended."""
        self.trace.begin_turn()
        return self.bill.next_turn()

    def discard(self) -> None:
        """Forget the answer of the current attempt, but keep its usage, which was billed."""
        self.trace.discard(self.bill.discard())
        # The time to the first token is that of the whole call, so an earlier turn's stays.
        if not self.bill.turns:
            self.trace.first_token = None

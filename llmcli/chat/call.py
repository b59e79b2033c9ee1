"""One call of a model: which it is, how it goes, what has come of it; and how it is completed."""

from collections.abc import Callable
from typing import Any

from llmcli.api.accumulator import Accumulator
from llmcli.api.trace import Trace
from llmcli.api.types import ToolCall
from llmcli.errors import (
    ExitCode,
)
from llmcli.spending.bill import Bill, Turn
from llmcli.system.dataclass import dataclass, field


@dataclass
class Call:
    """One run of requests for one answer.

    `shape` is what the answer was read as, for the object of --json; `exit_code` what a good
    answer means; `open_calls` are those for the caller, with the ids that results refer to.
    """

    trace: Trace
    bill: Bill = field(default_factory=Bill)
    model: str | None = None
    tag: str | None = None
    session: str | None = None
    known_models: Callable[[], list[str]] = list
    redact: Callable[[str], str] = str
    shape: dict[str, Any] = field(default_factory=dict)
    exit_code: int = ExitCode.OK
    open_calls: list[ToolCall] = field(default_factory=list)

    @property
    def accumulator(self) -> Accumulator:
        """Return the answer of this attempt as far as it has come."""
        return self.bill.accumulator

    def next_turn(self) -> Turn:
        """End this turn and return it; the next begins."""
        self.trace.begin_turn()
        return self.bill.next_turn()

    def discard(self) -> None:
        """Forget an attempt but for what it cost."""
        self.trace.discard(self.bill.discard())
        if not self.bill.turns:
            self.trace.first_token = None

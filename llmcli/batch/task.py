"""What is handed to a worker of `map`, and what comes back."""

from typing import Any, NamedTuple

from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.chat.call import Call
from llmcli.chat.report import report
from llmcli.errors import InternalError, LlmcliError


class Task(NamedTuple):
    """A record to be answered.

    `index` is its number in the input, from 0; `value` the record as JSON; `key` a hash of the
    record, its request and the endpoint, by which a later run knows it again. `custom_id` is the
    name that a batch file gives it. `request` is None if a `problem` keeps the record from being
    asked. `former_key` is the key that 0.1 gave it, without the endpoint. `given` are the names of
    the fields of the request that the user has set.
    """

    index: int  # type: ignore[assignment]  # a tuple has a method of that name
    key: str
    value: Any
    request: ChatRequest | None = None
    problem: LlmcliError | None = None
    custom_id: str | None = None
    former_key: str = ""
    given: frozenset[str] = frozenset()


class Outcome(NamedTuple):
    """What came of a task.

    `report` is the object that `ask --json` would print, `text` the answer as text. `error` is set
    if the task failed. `sent` is False if its request was never sent. `fatal` is True if the other
    records of the run would fail in the same way.
    """

    task: Task
    report: dict[str, Any]
    text: str = ""
    error: LlmcliError | None = None
    sent: bool = True
    fatal: bool = False
    warnings: tuple[str, ...] = ()


def lost_outcome(task: Task, error: BaseException) -> Outcome:
    """Return the outcome of a task whose worker died, or whose result could not be sent back."""
    failure = InternalError(f"the worker was lost: {type(error).__name__}")
    return Outcome(task, report(Call(Trace()), failure), "", failure)

"""The answer to one record, of many that are asked side by side: what `ask` does, but silent."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llmcli.api.completion import Completion
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.api.usage import Tokens
from llmcli.backends.connect import Backend
from llmcli.batch.rate_limit import Pace, Stopped
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.conversation import Answer, Limits, converse
from llmcli.chat.observer import Silent
from llmcli.chat.report import report
from llmcli.chat.response_format import Shape, instructed
from llmcli.chat.retry import LONGEST_RETRY_AFTER, RetryPolicy, retrying
from llmcli.errors import (
    AuthError,
    BudgetExceeded,
    ConfigError,
    InternalError,
    LlmcliError,
    NoModel,
    OutOfResources,
    PaymentRequired,
    TryLater,
    Unbounded,
    WriteError,
)
from llmcli.spending import estimate
from llmcli.spending.account import Account
from llmcli.spending.bill import Bill
from llmcli.spending.meter import Meter, not_recorded
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.tools.runner import Runner

# What would end every other request in the same way.
_FATAL = (AuthError, BudgetExceeded, ConfigError, NoModel, OutOfResources, PaymentRequired,
          WriteError)  # fmt: skip
_BUSY = (429, 503, 529)
# Tokens, until a longer one is seen, where nothing else bounds an answer.
_AN_ANSWER = 1000


@dataclass(frozen=True)
class Task:
    """A record to be answered. `key` is made of its content; `custom_id` its own name, if it has
    one; `request` is missing where a `problem` keeps it from being asked."""

    index: int
    key: str
    value: Any
    request: ChatRequest | None = None
    problem: LlmcliError | None = None
    custom_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """`report` is the object of --json, `text` what is shown of the answer. `sent`: a request
    went out. `fatal`: other records would fail in the same way. `warnings`: what else is to be
    known of it."""

    task: Task
    report: dict[str, Any]
    text: str = ""
    error: LlmcliError | None = None
    sent: bool = True
    fatal: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class How:
    """What holds for each record."""

    model: str
    local: bool
    tag: str | None
    deadline: float
    retries: int
    limits: Limits
    shape: Shape
    allow_cut: bool
    check_calls: bool
    verbose: bool


class Answerer:
    """Called by any number of threads."""

    def __init__(
        self,
        environment: Environment,
        how: How,
        backend: Backend,
        account: Account,
        pace: Pace,
        runner: "Runner | None",
    ) -> None:
        self._environment = environment
        self._how = how
        self._backend = backend
        self._account = account
        self._pace = pace
        self._runner = runner
        self._longest_answer = _AN_ANSWER

    def __call__(self, task: Task) -> Outcome | None:
        """None where the run is ending and nothing was asked."""
        call = self._call(task)
        try:
            text = self._answered(task, call)
        except Stopped:
            return None
        except LlmcliError as error:
            return self._failed(task, call, error)
        except MemoryError:
            return self._failed(task, call, OutOfResources("out of memory"))
        except Exception as error:
            return self._failed(task, call, self._environment.defect(error))
        return Outcome(task, report(call, None), text, warnings=tuple(call.trace.warnings))

    def stop(self) -> None:
        """Send nothing more, also not again."""
        self._pace.stop()
        self._account.allowance.close()

    def finish(self) -> str | None:
        """Nothing more will be answered; what could not be recorded."""
        try:
            self._account.ledger.finish()
        except WriteError as error:
            return not_recorded(error)
        return None

    def abandon(self) -> None:
        """What has begun is not waited for: no program of it outlives us."""
        from llmcli.system import process

        process.end_programs()

    def _call(self, task: Task) -> Call:
        environment, how = self._environment, self._how
        trace = Trace(redact=environment.redact, deadline=how.deadline)
        if how.deadline:
            trace.until = trace.started + how.deadline
        if how.verbose:
            trace.log = lambda line: environment.say(f"record {task.index}: {line}")
        model = (task.request or {}).get("model", how.model)
        bill = Bill(self._account.of_model(model).price, how.local)
        return Call(trace, bill, model, how.tag, redact=environment.redact)

    def _answered(self, task: Task, call: Call) -> str:
        if task.request is None:
            assert task.problem is not None
            raise task.problem
        stream, how = self._backend(call.trace), self._how
        payer = self._account.of_model(call.model or how.model)
        meter, silent = Meter(payer, call.bill, call.trace), Silent(call)
        policy = RetryPolicy(
            how.retries,
            lambda: call.trace.until - time.monotonic(),
            lambda error: self._pace.may_retry(bool(error.retry_after)),
            self._pace.rest,
        )

        def ask(request: ChatRequest) -> Completion:
            told = instructed(request, how.shape)

            def once() -> Completion:
                return complete(
                    stream, told, call, silent,
                    allow_cut=how.allow_cut, check_calls=how.check_calls,
                )  # fmt: skip

            def attempt() -> Completion:
                return meter.around(told, once, self._turn(told, call))

            return retrying(attempt, silent, policy, call.trace)

        answer = converse(ask, task.request, self._runner, how.shape, how.limits, silent)
        return _text(answer, call)

    @contextmanager
    def _turn(self, request: ChatRequest, call: Call) -> Iterator[None]:
        """Waits for it, and tells the pace how the request went. Raises Stopped."""
        reserved = self._most_tokens(request) if self._pace.counts_tokens else 0
        with self._pace.turn(reserved) as started:
            try:
                yield
            except LlmcliError as error:
                if error.status in _BUSY or isinstance(error, TryLater):
                    self._pace.overloaded(started, _told(error))
                raise
            finally:
                self._settle(started, reserved, call)
            self._pace.succeeded()

    def _most_tokens(self, request: ChatRequest) -> int:
        bound = estimate.bound(request, self._account.model, None)
        return bound.input + (bound.output or self._longest_answer)

    def _settle(self, started: float, reserved: int, call: Call) -> None:
        """Nothing, where the server does not say what it took: then it counts as reserved."""
        if not self._pace.counts_tokens:
            return
        used = Tokens.of(call.accumulator.usage)
        if used.completion is not None:
            self._longest_answer = max(self._longest_answer, used.completion)
            self._pace.settle(started, reserved, (used.prompt or 0) + used.completion)

    def _failed(self, task: Task, call: Call, error: LlmcliError) -> Outcome:
        if self._how.verbose:
            self._environment.say(f"record {task.index}: {error}")
        too_late = isinstance(error, TryLater) and (error.retry_after or 0) > LONGEST_RETRY_AFTER
        sent = bool(call.trace.attempts) or task.problem is not None
        # A request of a batch file may name a model and a bound of its own.
        unbounded = isinstance(error, Unbounded)
        own = (isinstance(error, NoModel) or unbounded) and task.custom_id is not None
        fatal = (too_late or isinstance(error, _FATAL)) and not own
        return Outcome(
            task,
            report(call, error),
            error=error,
            sent=sent,
            fatal=fatal and not task.problem,
            warnings=tuple(call.trace.warnings),
        )


def lost(task: Task, error: BaseException) -> Outcome:
    """The worker died, or what it has made cannot come back."""
    failure = InternalError(f"the worker was lost: {type(error).__name__}")
    return Outcome(task, report(Call(Trace()), failure), "", failure)


def _text(answer: Answer, call: Call) -> str:
    """What stands on stdout for the answer: a shape's, else its text, else the calls for the
    caller."""
    shaped = answer.shaped
    call.shape, call.open_calls = dict(shaped.found), list(answer.calls)
    if answer.calls:
        return "\n".join(json.dumps(one, ensure_ascii=False) for one in answer.calls)
    text = shaped.found.get("answer", shaped.text)
    return call.accumulator.text if text is None else str(text)


def _told(error: LlmcliError) -> float | None:
    """How long the server asks to wait, where that is waited for."""
    seconds = error.retry_after
    return seconds if seconds and seconds <= LONGEST_RETRY_AFTER else None

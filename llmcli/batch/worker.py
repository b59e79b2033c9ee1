"""The answer to one record of `map`: what `ask` does, but silent, and in many threads at once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmcli.api.refused_fields import OwnFields
from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.choice.buffer import Reading
from llmcli.api.reply.completion import Completion
from llmcli.api.reply.judgement import Demands
from llmcli.api.reply.tool_calls import as_json
from llmcli.api.reply.usage import Tokens
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.backends.connect import Backend
from llmcli.batch.rate_limit import Pace, Stopped
from llmcli.batch.task import Outcome, Task
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.conversation import Answer, Limits, converse
from llmcli.chat.observer import Silent
from llmcli.chat.report import report
from llmcli.chat.response_format import Shape, instructed
from llmcli.chat.retry import LONGEST_RETRY_AFTER, RetryPolicy, retrying, without_refused
from llmcli.errors import (
    AuthError,
    BudgetExceeded,
    ConfigError,
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

# The errors that every other request of the run would end with as well.
_FATAL = (AuthError, BudgetExceeded, ConfigError, NoModel, OutOfResources, PaymentRequired,
          WriteError)  # fmt: skip
# The HTTP statuses by which a server asks for fewer requests: 429 (RFC 6585), 503 (RFC 9110), and
# 529, which Anthropic and others send when they are overloaded.
_BUSY = (429, 503, 529)
# How many tokens --tpm reserves for an answer that nothing bounds, until a longer one was seen.
_USUAL_ANSWER = 1000


@dataclass(frozen=True)
class RecordRules:
    """What holds for each record of a run.

    `model` is used where a request names none, and `local` is True for the embedded model. `tag` is
    the name in the ledger. `deadline` is in seconds; 0 means none. `retries` counts the attempts
    after the first. `shape` is the form that an answer must have, `demands` what else it must be.
    `think_tags` reads what stands in <think> at its beginning as reasoning. `verbose` logs each
    request to stderr.
    """

    model: str
    local: bool
    tag: str | None
    deadline: float
    retries: int
    limits: Limits
    shape: Shape
    demands: Demands
    think_tags: bool
    verbose: bool


class Answerer:
    """A function that answers a task; any number of threads may call it at once.

    `account` pays for all requests, and `pace` says when they may be sent. `runner` runs the tools
    that the model calls; it is None if calls are left to the caller.
    """

    def __init__(
        self,
        environment: Environment,
        rules: RecordRules,
        backend: Backend,
        account: Account,
        pace: Pace,
        runner: "Runner | None",
    ) -> None:
        self._environment = environment
        self._rules = rules
        self._backend = backend
        self._account = account
        self._pace = pace
        self._runner = runner
        self._longest_answer = _USUAL_ANSWER
        self._fields = OwnFields()

    def __call__(self, task: Task) -> Outcome | None:
        """Answer the task and return its outcome, which may be a failure.

        Return None if the run is ending, and the task was not asked or its retry was given up.
        """
        call = self._call(task)
        try:
            text = self._answer(task, call)
        except Stopped:
            return None
        except LlmcliError as error:
            return self._failed(task, call, error)
        except MemoryError:
            return self._failed(task, call, OutOfResources("out of memory"))
        except Exception as error:  # noqa: BLE001  # a defect fails one record, not the run
            return self._failed(task, call, self._environment.defect(error))
        return Outcome(task, report(call, None), text, warnings=tuple(call.trace.warnings))

    def stop(self) -> None:
        """Send no more requests, and no retries."""
        self._pace.stop()
        self._account.allowance.close()

    def finish(self) -> str | None:
        """Write what the ledger still has to record; return a warning if that failed.

        It is called once, when no more tasks will be answered.
        """
        try:
            self._account.ledger.finish()
        except WriteError as error:
            return not_recorded(error)
        return None

    def abandon(self) -> None:
        """End the programs of tools that still run: requests under way are not waited for."""
        from llmcli.system import process  # noqa: PLC0415  # most runs start no programs

        process.end_programs()

    def _call(self, task: Task) -> Call:
        environment, rules = self._environment, self._rules
        trace = Trace(redact=environment.redact, deadline=rules.deadline)
        if rules.deadline:
            trace.until = trace.started + rules.deadline
        if rules.verbose:
            trace.log = lambda line: environment.say(f"record {task.index}: {line}")
        model = (task.request or {}).get("model", rules.model)
        reading = Reading(think_tags=rules.think_tags, redact=environment.redact)
        price = self._account.of_model(model).price
        bill = Bill(price, rules.local, Accumulator(reading))
        return Call(trace, bill, model, rules.tag, redact=environment.redact)

    def _answer(self, task: Task, call: Call) -> str:
        """Return the answer to the task as text.

        Raises LlmcliError where it fails, and Stopped if the run is ending.
        """
        if task.request is None:
            assert task.problem is not None
            raise task.problem
        stream, rules = self._backend(call.trace), self._rules
        payer = self._account.of_model(call.model or rules.model)
        meter, silent = Meter(payer, call.bill, call.trace), Silent(call)
        policy = RetryPolicy(
            rules.retries,
            lambda: call.trace.until - time.monotonic(),
            lambda error: self._pace.may_retry(has_time=bool(error.retry_after)),
            lambda seconds, _failure: self._pace.rest(seconds),
        )

        def ask(request: ChatRequest) -> Completion:
            whole = instructed(request, rules.shape)

            def send(sent: ChatRequest) -> Completion:
                def once() -> Completion:
                    return complete(stream, sent, call, silent, rules.demands)

                return meter.around(sent, once, self._turn(sent, call))

            def attempt() -> Completion:
                return without_refused(send, whole, task.given, self._fields, call)

            return retrying(attempt, silent, policy, call.trace)

        answer = converse(ask, task.request, self._runner, rules.shape, rules.limits, silent)
        return _text(answer, call)

    @contextmanager
    def _turn(self, request: ChatRequest, call: Call) -> Iterator[None]:
        """Wait for a turn, hold it while the request is sent, and report how that went to the pace.

        Raises Stopped if the run is ending.
        """
        reserved = self._most_tokens(request) if self._pace.counts_tokens else 0
        with self._pace.turn(reserved) as started:
            try:
                yield
            except LlmcliError as error:
                if error.status in _BUSY or isinstance(error, TryLater):
                    self._pace.overloaded(started, _retry_after(error))
                raise
            finally:
                self._settle(started, reserved, call)
            self._pace.succeeded()

    def _most_tokens(self, request: ChatRequest) -> int:
        """Return how many tokens the request and its answer may have, to keep to --tpm."""
        bound = estimate.bound(request, self._account.model, None)
        return bound.input + (bound.output or self._longest_answer)

    def _settle(self, started: float, reserved: int, call: Call) -> None:
        """Report the tokens that were used to the pace.

        If the server does not report them, those that were reserved count.
        """
        if not self._pace.counts_tokens:
            return
        used = Tokens.of(call.accumulator.usage)
        if used.completion is not None:
            self._longest_answer = max(self._longest_answer, used.completion)
            self._pace.settle(started, reserved, (used.prompt or 0) + used.completion)

    def _failed(self, task: Task, call: Call, error: LlmcliError) -> Outcome:
        if self._rules.verbose:
            self._environment.say(f"record {task.index}: {error}")
        too_late = isinstance(error, TryLater) and (error.retry_after or 0) > LONGEST_RETRY_AFTER
        # A malformed record counts as sent: its failure belongs to the output like an answer.
        sent = bool(call.trace.attempts) or task.problem is not None
        # A request of a batch file may name its own model and its own limit of tokens. Then a model
        # that does not exist, or a missing limit, says nothing about the other requests.
        of_request = isinstance(error, (NoModel, Unbounded))
        own = of_request and task.custom_id is not None
        fatal = (too_late or isinstance(error, _FATAL)) and not own
        return Outcome(
            task,
            report(call, error),
            error=error,
            sent=sent,
            fatal=fatal and not task.problem,
            warnings=tuple(call.trace.warnings),
        )


def _text(answer: Answer, call: Call) -> str:
    """Return the answer as text, and note in `call` its shape and the calls for the caller.

    Calls of tools that are left to the caller are JSON, one on each line. Otherwise the text is
    what was read from the answer by its shape, else all of it.
    """
    shaped = answer.shaped
    call.shape, call.open_calls = dict(shaped.found), list(answer.calls)
    if answer.calls:
        return "\n".join(map(as_json, answer.calls))
    text = shaped.found.get("answer", shaped.text)
    return call.accumulator.text if text is None else str(text)


def _retry_after(error: LlmcliError) -> float | None:
    """Return how many seconds the server asks to wait; None if it is too long to wait for."""
    seconds = error.retry_after
    return seconds if seconds and seconds <= LONGEST_RETRY_AFTER else None

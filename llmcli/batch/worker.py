"""The answer to one record of `map`: what `ask` does, but silent, and in many threads at once."""

import time
from typing import TYPE_CHECKING

from llmcli.api.refused_fields import OwnFields
from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.choice.buffer import Reading
from llmcli.api.reply.completion import Completion
from llmcli.api.reply.judgement import Demands
from llmcli.api.reply.tool_calls import as_json
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.backends.connect import Backend
from llmcli.batch.pace.rate_limit import Pace, Stopped
from llmcli.batch.sender import Listener, Sender, is_busy
from llmcli.batch.task import Outcome, Task
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.conversation import Answer, Limits, converse
from llmcli.chat.pipeline import Pipeline
from llmcli.chat.report import report
from llmcli.chat.response_format import Shape
from llmcli.chat.retry import LONGEST_RETRY_AFTER, RetryPolicy
from llmcli.errors import (
    AuthError,
    BudgetExceeded,
    ConfigError,
    LlmcliError,
    LockHeld,
    NetworkError,
    NoModel,
    OutOfResources,
    PaymentRequired,
    ProtocolError,
    ServerError,
    TryLater,
    Unbounded,
    WriteError,
)
from llmcli.spending.account import Account
from llmcli.spending.bill import Bill
from llmcli.spending.meter import Meter, not_recorded
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.tools.runner import Runner

# The errors that every other request of the run would end with as well.
_FATAL = (AuthError, BudgetExceeded, ConfigError, LockHeld, OutOfResources, PaymentRequired,
          WriteError)  # fmt: skip


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
        self._sender = Sender(pace, account, rules.deadline, again=rules.retries > 0)
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
        from llmcli.system.processes import process  # noqa: PLC0415  # most runs start no programs

        process.end_programs()

    def _call(self, task: Task) -> Call:
        environment, rules = self._environment, self._rules
        trace = Trace(redact=environment.redact, deadline=rules.deadline)
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
        meter, listener = Meter(payer, call.bill, call.trace), Listener(call)
        policy = RetryPolicy(
            rules.retries,
            lambda: call.trace.until - time.monotonic(),
            lambda _error: self._pace.may_retry(),
            lambda seconds, _failure: self._pace.rest(seconds),
        )

        def send(sent: ChatRequest) -> Completion:
            def once() -> Completion:
                return complete(stream, sent, call, listener, rules.demands)

            return self._sender.send(
                task.index, sent, call, listener,
                lambda turn: meter.around(sent, once, turn),
            )  # fmt: skip

        ask = Pipeline(send, rules.shape, task.given, self._fields, listener, policy, call)
        answer = converse(ask, task.request, self._runner, rules.shape, rules.limits, listener)
        return _text(answer, call)

    def _failed(self, task: Task, call: Call, error: LlmcliError) -> Outcome:
        if self._rules.verbose:
            self._environment.say(f"record {task.index}: {error}")
        # A malformed record counts as sent: its failure belongs to the output like an answer.
        sent = bool(call.trace.attempts) or task.problem is not None
        # A request of a batch file may name its own model and its own limit of tokens. Then a model
        # that does not exist, or a missing limit, says nothing about the other requests.
        of_request = isinstance(error, (NoModel, Unbounded))
        own = of_request and task.custom_id is not None
        for_all = isinstance(error, _FATAL) or self._is_in_vain(error)
        return Outcome(
            task,
            report(call, error),
            error=error,
            sent=sent,
            fatal=for_all and not own and not task.problem,
            warnings=tuple(call.trace.warnings),
        )

    def _is_in_vain(self, error: LlmcliError) -> bool:
        """Return True if no request has succeeded, and none will by what `error` says.

        It says that the model is not known, the endpoint is another one (a wrong URL, a redirect, a
        certificate that is not trusted), a proxy does not let the request through, or the server
        does not take it in time.
        """
        if self._sender.succeeded:
            return False
        if isinstance(error, ProtocolError):
            # Without advice it is about the text of one answer.
            return error.status is not None or error.hint is not None
        if isinstance(error, NetworkError):
            return error.of_proxy and not error.transient
        if isinstance(error, TryLater):
            # One that is transient was not sent again, as --retries 0 forbids that.
            return not error.transient or (error.retry_after or 0) > LONGEST_RETRY_AFTER
        return isinstance(error, NoModel) or (isinstance(error, ServerError) and is_busy(error))


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

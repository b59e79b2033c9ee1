"""The way of a request to its completion, and one run of `ask` once its request is drafted."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from llmcli.api.refused_fields import OwnFields
from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.choice.buffer import Reading
from llmcli.api.reply.completion import Completion
from llmcli.api.reply.judgement import Demands
from llmcli.api.types import ChatRequest
from llmcli.backends.stream import Stream
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.conversation import Answer, Limits, converse
from llmcli.chat.draft import Draft
from llmcli.chat.observer import Observer
from llmcli.chat.presenter import Output
from llmcli.chat.response_format import Shape, instructed
from llmcli.chat.retry import RetryPolicy, retrying, without_refused
from llmcli.chat.sessions.recorder import Recorder
from llmcli.chat.setup import allows_cut
from llmcli.config.options import AskOptions, ToolOptions
from llmcli.config.settings import REASONING, Settings
from llmcli.spending.meter import Meter
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.tools.runner import Runner


@dataclass(frozen=True)
class Pipeline:
    """The way from a request to its completion, with all attempts; `ask` and `map` share it.

    `send` sends a request once, and returns the whole answer or raises LlmcliError. `shape` is what
    the answer must be. `given` are the names of the fields that the user has set, `fields` knows
    what the server refuses of the others. `observer` and `call` are told of each attempt.
    """

    send: Callable[[ChatRequest], Completion]
    shape: Shape
    given: Collection[str]
    fields: OwnFields
    observer: Observer
    retries: RetryPolicy
    call: Call

    def __call__(self, request: ChatRequest) -> Completion:
        """Return the completion of `request`; raise the LlmcliError of the last attempt."""
        # The instruction is added here, as a session must not keep it.
        whole = instructed(request, self.shape)

        def attempt() -> Completion:
            return without_refused(self.send, whole, self.given, self.fields, self.call)

        return retrying(attempt, self.observer, self.retries, self.call.trace)


@dataclass(frozen=True)
class Exchange:
    """The collaborators of one run of `ask`.

    `output` is open already; `recorder` is opened by `run`. `stream` sends a request and returns
    the chunks of the answer.
    """

    environment: Environment
    call: Call
    output: Output
    recorder: Recorder
    meter: Meter
    stream: Stream

    def run(self, draft: Draft, options: AskOptions, settings: Settings) -> int:
        """Send the request of `draft`, show and record the answer, and return the exit code.

        It is 0, or 1 for a "no" by --yes-no. Raise the LlmcliError that kept the answer from being
        good, after what came of it was recorded.
        """
        conversation = draft.request["messages"]
        as_json = options.output.json or options.output.events
        in_text = not (as_json or draft.shape)
        limits = Limits(options.tools.max_turns, options.shape.repair)
        runner = self._runner(draft, options.tools)
        # Where nobody reads the text again once it is shown, a long answer takes no memory.
        keep_text = not in_text or runner is not None or self.recorder.keeps
        reading = Reading(keep_text, settings.think_tags == REASONING, self.call.redact)
        self.call.bill.accumulator = Accumulator(reading)
        demands = Demands(
            allow_cut=allows_cut(settings, asked=options.output.allow_cut, in_text=in_text),
            check_calls=not options.tools.run_tools,  # the runner tells the model what is malformed
            text=not as_json,
            fits_cut=draft.shape.fits_closed,
        )
        ask = self._asker(draft, settings, demands)
        try:
            self.recorder.open()
            answer = converse(ask, draft.request, runner, draft.shape, limits, self.output)
        except BaseException as error:  # a signal as well: what came has been paid for
            self.recorder.fail(draft.known, conversation, error)
            raise
        return self._finish(draft, answer)

    def _asker(
        self, draft: Draft, settings: Settings, demands: Demands
    ) -> Callable[[ChatRequest], Completion]:
        """Return the function that sends a request, with retries, and meters each attempt."""

        def send(sent: ChatRequest) -> Completion:
            def once() -> Completion:
                try:
                    return complete(self.stream, sent, self.call, self.output, demands)
                finally:
                    # The stream says what it waits for, and is over.
                    self.environment.set_stage("what came is not recorded yet")

            return self.meter.around(sent, once)

        retries = RetryPolicy(settings.retries, self.environment.remaining, rest=self._rest)
        return Pipeline(
            send, draft.shape, settings.options, OwnFields(), self.output, retries, self.call
        )

    def _rest(self, seconds: float, failure: str) -> None:
        """Wait before the next attempt, and say so if it takes long."""
        awaited = f"the next attempt ({failure})"
        with self.environment.waiting_for(awaited, "is not due yet") as wait:
            wait.sleep(seconds)

    def _runner(self, draft: Draft, tools: ToolOptions) -> "Runner | None":
        if draft.toolbox is None or not tools.run_tools:
            return None
        from llmcli.tools import runner  # noqa: PLC0415  # needed with --run-tools only

        policy = runner.ToolPolicy(tools.approve, tools.strict_tools)
        return runner.Runner(self.environment, draft.toolbox, policy)

    def _finish(self, draft: Draft, answer: Answer) -> int:
        shaped = answer.shaped
        self.call.exit_code, self.call.shape = shaped.exit_code, dict(shaped.found)
        self.call.open_calls = list(answer.calls)
        # Recorded first, so that a failing stdout does not cost the turn.
        self.recorder.keep(draft.known, draft.request["messages"])
        self.output.finish(answer.calls, shaped.text)
        return shaped.exit_code

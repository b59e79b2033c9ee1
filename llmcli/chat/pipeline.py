"""One run of `ask` from the request on: attempts, turns, what is kept, what is shown."""

from typing import TYPE_CHECKING

from llmcli.api.accumulator import Accumulator
from llmcli.api.completion import Completion
from llmcli.api.types import ChatRequest
from llmcli.backends.stream import Stream
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.conversation import Answer, Limits, converse
from llmcli.chat.draft import Draft
from llmcli.chat.presenter import Output
from llmcli.chat.response_format import instructed
from llmcli.chat.retry import RetryPolicy, retrying
from llmcli.chat.sessions.recorder import Recorder
from llmcli.chat.setup import allows_cut
from llmcli.config.options import AskOptions, ToolOptions
from llmcli.config.settings import Settings
from llmcli.spending.meter import Meter
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.tools.runner import Runner


@dataclass(frozen=True)
class Exchange:
    """The collaborators of one ask run, each open and ready."""

    environment: Environment
    call: Call
    output: Output
    recorder: Recorder
    meter: Meter
    stream: Stream

    def run(self, draft: Draft, options: AskOptions, settings: Settings) -> int:
        """The exit code of a good answer. Raises all that keeps one from being good."""
        known, said = draft.known, draft.request["messages"]
        retries = RetryPolicy(settings.retries, self.environment.remaining)
        in_text = not (options.output.json or options.output.events or draft.shape)
        allow_cut = allows_cut(options.output.allow_cut, in_text, settings)

        def ask(request: ChatRequest) -> Completion:
            return retrying(lambda: attempt(request), self.output, retries, self.call.trace)

        def attempt(request: ChatRequest) -> Completion:
            check_calls = not options.tools.run_tools
            told = instructed(request, draft.shape)

            def once() -> Completion:
                return complete(
                    self.stream, told, self.call, self.output,
                    allow_cut=allow_cut, check_calls=check_calls,
                )  # fmt: skip

            return self.meter.around(told, once)

        limits = Limits(options.tools.max_turns, options.shape.repair)
        runner = self._runner(draft, options.tools)
        if in_text and runner is None and not self.recorder.keeps:
            # Nobody looks at the text once it is shown.
            self.call.bill.accumulator = Accumulator.of(keep_text=False)
        try:
            self.recorder.open()
            answer = converse(ask, draft.request, runner, draft.shape, limits, self.output)
        except BaseException as error:
            self.recorder.fail(known, said, error)
            raise
        return self._finish(draft, answer)

    def _runner(self, draft: Draft, tools: ToolOptions) -> "Runner | None":
        if draft.toolbox is None or not tools.run_tools:
            return None
        from llmcli.tools.runner import Runner, ToolPolicy

        policy = ToolPolicy(tools.approve, tools.strict_tools)
        return Runner(self.environment, draft.toolbox, policy)

    def _finish(self, draft: Draft, answer: Answer) -> int:
        shaped = answer.shaped
        self.call.exit_code, self.call.shape = shaped.exit_code, dict(shaped.found)
        self.call.open_calls = list(answer.calls)
        self.recorder.keep(draft.known, draft.request["messages"])
        self.output.finish(answer.calls, shaped.text)
        return shaped.exit_code

"""The only way back: what an answer calls for goes to the model, and it is asked again.

Results of tools that were run, and complaints about an answer that has not the shape it must have.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmcli.api.completion import Completion
from llmcli.api.tool_calls import malformed, refuse_malformed
from llmcli.api.types import ChatRequest, Message, ToolCall
from llmcli.chat import response_format
from llmcli.chat.observer import Observer
from llmcli.chat.response_format import Shape, Shaped
from llmcli.errors import BadRequest, ToolError
from llmcli.system.dataclass import dataclass, field, replace

if TYPE_CHECKING:
    from llmcli.tools.runner import Runner  # it starts programs, for which most runs need nothing


@dataclass(frozen=True)
class Limits:
    """`turns`: requests in all while tools are called; `repairs`: further ones for the shape."""

    turns: int = 10
    repairs: int = 0


@dataclass(frozen=True)
class Answer:
    """The end of it. `calls` are left to the caller."""

    calls: Sequence[ToolCall] = ()
    shaped: Shaped = field(default_factory=Shaped)


def converse(
    ask: Callable[[ChatRequest], Completion],
    request: ChatRequest,
    runner: "Runner | None",
    wanted: Shape,
    limits: Limits,
    observer: Observer,
) -> Answer:
    """Ask until nothing is left to answer. `request["messages"]` grows by all that is said.

    Raises what `ask` does; ToolError where the turns run out or a tool fails under a strict
    policy; BadRequest for an answer that has not the shape `wanted`.
    """
    said: list[Message] = request["messages"]
    rejected: list[Message] = []
    turns = 0
    while True:
        completion = ask(request)
        message = completion.passed_back()
        said.append(message)
        calls = message.get("tool_calls") or []
        if calls and runner and not completion.cut:
            turns += 1
            if turns == limits.turns and not any(map(runner.left_to_caller, calls)):
                raise _endless(turns)
            left = _run(runner, message, said, observer)
            if left:
                return _handed_out(left, wanted)
            request = _free_to_answer(request)
        elif calls:
            return _handed_out(calls, wanted)
        else:
            try:
                shaped = wanted.read(completion.text)
                # A conversation goes on with the good answer only.
                said[:] = [m for m in said if not any(m is bad for bad in rejected)]
                return Answer(shaped=shaped)
            except BadRequest as error:
                if not limits.repairs:
                    raise
                limits = replace(limits, repairs=limits.repairs - 1)
                said.append(Message(role="user", content=response_format.complaint(error)))
                rejected += said[-2:]
        observer.next_turn()


def _handed_out(calls: Sequence[ToolCall], wanted: Shape) -> Answer:
    """Raises ToolError for a call that nobody could run, BadRequest where yes or no is wanted."""
    refuse_malformed(calls)
    if wanted.yes_no:
        raise BadRequest("the answer is a call of a tool, neither yes nor no")
    return Answer(calls)


def _run(
    runner: "Runner", message: Message, said: list[Message], observer: Observer
) -> list[ToolCall]:
    """The calls that are not ours to run, once the others are answered."""
    calls = message["tool_calls"]
    # No endpoint takes back arguments that are no JSON; the result says what they were.
    message["tool_calls"] = [_without_malformed(call) for call in calls]
    observer.pause()
    for result in runner.run([call for call in calls if not runner.left_to_caller(call)]):
        said.append(result)
        observer.result(result)
    return [call for call in calls if runner.left_to_caller(call)]


def _without_malformed(call: ToolCall) -> ToolCall:
    if not malformed(call):
        return call
    return {**call, "function": {**call["function"], "arguments": "{}"}}


def _free_to_answer(request: ChatRequest) -> ChatRequest:
    """A `tool_choice` that forces a call holds for the first turn, or there would be no end."""
    forced = request.get("tool_choice") not in (None, "auto", "none")
    return {**request, "tool_choice": "auto"} if forced else request


def _endless(turns: int) -> ToolError:
    return ToolError(f"the model still calls tools after turn {turns}", hint="raise --max-turns")

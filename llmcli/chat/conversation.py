"""The loop that asks a model again until its answer is final.

It is asked again with the results of the tools that it called, and with a complaint about an answer
that does not have the shape that was asked for. Attempts that fail are repeated by `retry`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmcli.api.reply.completion import Completion
from llmcli.api.reply.tool_calls import FUNCTION, malformed, refuse_malformed
from llmcli.api.types import ChatRequest, Message, ToolCall
from llmcli.chat import response_format
from llmcli.chat.response_format import Shape, Shaped
from llmcli.errors import BadRequest, ToolError
from llmcli.system.dataclass import dataclass, field, replace

if TYPE_CHECKING:
    from llmcli.chat.observer import Observer
    from llmcli.tools.runner import Runner


@dataclass(frozen=True)
class Limits:
    """How often a model is asked again.

    `turns` is --max-turns: the run fails if the answer of this number still calls tools to be run.
    `repairs` is --repair: the most requests that follow an answer of a wrong shape.
    """

    turns: int = 10
    repairs: int = 0


@dataclass(frozen=True)
class Answer:
    """How a conversation ended: with tool calls that are left to the caller, or with a text.

    `shaped` is what was read of the text; it is empty where no shape was asked for.
    """

    calls: Sequence[ToolCall] = ()
    shaped: Shaped = field(default_factory=Shaped)


def converse(
    ask: Callable[[ChatRequest], Completion],
    request: ChatRequest,
    runner: "Runner | None",
    wanted: Shape,
    limits: Limits,
    observer: "Observer",
) -> Answer:
    """Ask the model until an answer is final, and return how the conversation ended.

    The list `request["messages"]` grows in place by every answer and by what is sent back for it.
    Answers of a wrong shape, and the complaints about them, are removed once a good one has come.
    Without a `runner` all tool calls are left to the caller.

    Raise what `ask` raises; ToolError if the turns run out, if a call that is left to the caller
    is malformed, or if a tool fails under a strict policy; BadRequest if the answer does not have
    the shape that is `wanted` and no repair is left.
    """
    history: list[Message] = request["messages"]
    rejected: list[Message] = []
    turns = 0
    while True:
        completion = ask(request)
        message = completion.passed_back()
        history.append(message)
        calls = message.get("tool_calls") or []
        if calls and runner and not completion.first.cut:
            turns += 1
            if turns == limits.turns and not any(map(runner.left_to_caller, calls)):
                raise _out_of_turns(turns)
            left_to_caller = _run(runner, message, history, observer)
            if left_to_caller:
                return _handed_out(left_to_caller, wanted)
            request = _free_to_answer(request)
        elif calls:
            return _handed_out(calls, wanted)
        else:
            try:
                shaped = wanted.read(completion.first.text)
                # A session keeps the good answer only. Told apart by identity, as two may be equal.
                history[:] = [m for m in history if not any(m is bad for bad in rejected)]
                return Answer(shaped=shaped)
            except BadRequest as error:
                if not limits.repairs:
                    raise
                limits = replace(limits, repairs=limits.repairs - 1)
                history.append(Message(role="user", content=response_format.complaint(error)))
                rejected += history[-2:]
        observer.next_turn()


def _handed_out(calls: Sequence[ToolCall], wanted: Shape) -> Answer:
    """Return the end of a conversation whose `calls` are left to the caller.

    Raise ToolError for a malformed call, BadRequest if a yes or no was wanted.
    """
    refuse_malformed(calls)
    if wanted.yes_no:
        raise BadRequest("the answer must be yes or no, but it is a tool call")
    return Answer(calls)


def _run(
    runner: "Runner", message: Message, history: list[Message], observer: "Observer"
) -> list[ToolCall]:
    """Run the tool calls of `message`, add their results to `history`, and return the other calls.

    The other calls are those of tools without a command, which are left to the caller.
    """
    calls = message["tool_calls"]
    # No endpoint takes back arguments that are not JSON; the result quotes them for the model.
    message["tool_calls"] = [_without_malformed(call) for call in calls]
    observer.pause()
    for result in runner.run([call for call in calls if not runner.left_to_caller(call)]):
        history.append(result)
        observer.result(result)
    return [call for call in calls if runner.left_to_caller(call)]


def _without_malformed(call: ToolCall) -> ToolCall:
    if FUNCTION not in call or not malformed(call):
        return call
    return {**call, "function": {**call["function"], "arguments": "{}"}}


def _free_to_answer(request: ChatRequest) -> ChatRequest:
    """Return `request` without a `tool_choice` that forces a call.

    A call that is forced in every turn would never let the model answer. The copy shares the list
    of messages, since `converse` extends it in place.
    """
    forced = request.get("tool_choice") not in (None, "auto", "none")
    return {**request, "tool_choice": "auto"} if forced else request


def _out_of_turns(turns: int) -> ToolError:
    return ToolError(f"the model still calls tools after turn {turns}", hint="raise --max-turns")

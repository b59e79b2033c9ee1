"""The judgement of an answer: whether it is complete and good."""

from collections.abc import Callable

from llmcli.api.reply.completion import FAILED, FILTERED, Choice, Completion
from llmcli.api.reply.tool_calls import refuse_malformed
from llmcli.errors import AnswerCut, BadRequest, Filtered, ServerError, Truncated
from llmcli.system.dataclass import dataclass


@dataclass(frozen=True)
class Demands:
    """What an answer must be.

    `allow_cut` accepts a text without tool calls that ends at its length limit. `check_calls`
    rejects a tool call that cannot be run. `text` says that the answer is shown as text, so that
    an image alone is none. `fits_cut` says of a text at the limit whether it is whole all the same,
    as a JSON object is that is closed.
    """

    allow_cut: bool = False
    check_calls: bool = True
    text: bool = False
    fits_cut: Callable[[str], bool] | None = None


def judge(completion: Completion, demands: Demands, choices: int = 1) -> None:
    """Return if the answer is complete and good. Of its choices the first `choices` are judged.

    Raise Truncated if the stream ended without a finish_reason or [DONE], ServerError if the
    server reports a failure or the answer is empty, Filtered if it was filtered or refused,
    AnswerCut if it was cut by its length, BadRequest if it is not text where that is demanded, and
    ToolError for a call that cannot be run.
    """
    for choice in completion.choices[:choices]:
        if not completion.ended and not choice.finished:
            raise Truncated("stream ended without finish_reason or [DONE]", transient=True)
        _judge_finish(choice, demands)
        if not choice.chars and not choice.tool_calls and not choice.cut:
            _judge_medium(completion, choice, demands)
        if demands.check_calls and not choice.cut:
            refuse_malformed(choice.tool_calls)


def _judge_finish(choice: Choice, demands: Demands) -> None:
    """Raise the error that the finish_reason or a refusal stands for."""
    reason = (choice.finish_reason or "").lower()
    if reason in FAILED:
        words = f"the server ended the answer with {choice.finish_reason!r}"
        raise ServerError(words, transient=True)
    if reason.startswith(FILTERED):
        raise Filtered("the answer was stopped by the server's content filter")
    if choice.refusal and not choice.chars:
        raise Filtered(f"the model refused: {choice.refusal}")
    may_be_cut = bool(choice.chars and not choice.tool_calls)
    if choice.cut and not (may_be_cut and _accepts_cut(choice, demands)):
        raise AnswerCut("answer cut at max_tokens or the context length")


def _accepts_cut(choice: Choice, demands: Demands) -> bool:
    fits = demands.fits_cut
    return demands.allow_cut or (fits is not None and fits(choice.text))


def _judge_medium(completion: Completion, choice: Choice, demands: Demands) -> None:
    """Return if an answer without text and tool calls is something else that was asked for.

    Raise ServerError if it is empty. That is transient only if no tokens were made: a model that
    has thought in vain would be paid a second time.
    """
    if choice.medium and not demands.text:
        return
    if choice.medium:
        raise BadRequest(f"the answer is {choice.medium}", hint="use --json")
    reason = choice.finish_reason
    because = "" if (reason or "").lower() in ("stop", "") else f" (finish_reason {reason!r})"
    paid = choice.thought or (completion.usage or {}).get("completion_tokens")
    raise ServerError(f"the answer is empty{because}", transient=not paid)

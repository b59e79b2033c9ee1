"""The answer of a model, complete or as far as it came."""

from typing import Any, NamedTuple, cast

from llmcli.api import unknown_fields as extra
from llmcli.api.reply import tool_calls
from llmcli.api.types import Message, ToolCall, Usage
from llmcli.api.unknown_fields import Extra
from llmcli.system.dataclass import dataclass, field

# The finish reasons of an answer that stopped at a token limit: OpenAI's, Anthropic's, Mistral's.
CUT = ("length", "max_tokens", "model_length")

_KNOWN = ("stop", "tool_calls", "function_call", "end_turn", *CUT)


class Delta(NamedTuple):
    """What one chunk adds to an answer; `tool_calls` are pieces of calls as the server sent them.

    `reasoning` is the readable form of the thinking.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Completion:
    """An answer, complete or as far as it came.

    `created` is in seconds since 1970. `text` and `reasoning` are empty if the accumulator did not
    keep them. `reasoning_details` is the structured form of the reasoning. `finish_reason` and
    `usage` are as the server sent them. `extra`, `choice_extra` and `message_extra` are the fields
    that llmcli does not know, of the reply, of its choice and of its message.
    """

    id: str | None
    created: int | None
    model: str | None
    text: str
    reasoning: str
    reasoning_details: list[dict[str, Any]]
    tool_calls: list[ToolCall]
    refusal: str
    finish_reason: str | None
    usage: Usage | None
    extra: Extra = field(default_factory=dict)
    choice_extra: Extra = field(default_factory=dict)
    message_extra: Extra = field(default_factory=dict)

    def message(self) -> Message:
        """Return the answer as the `message` of a Chat Completions choice, with unknown fields."""
        message = Message(
            role="assistant",
            content=self.text if self.text or not self.tool_calls else None,
            reasoning=self.reasoning or None,
            reasoning_details=self.reasoning_details,
            tool_calls=self.tool_calls,
        )
        if self.refusal:
            message["refusal"] = self.refusal
        return cast(Message, {**self.message_extra, **message})

    def passed_back(self) -> Message:
        """Return the answer as a message of the next request.

        It has the reasoning only in its structured form: that is the one which endpoints take back.
        """
        message = Message(role="assistant", content=self.message()["content"])
        if self.reasoning_details:
            message["reasoning_details"] = extra.finite(self.reasoning_details)
        if self.tool_calls:
            message["tool_calls"] = tool_calls.passed_back(self.tool_calls, self.id)
        return message

    @property
    def cut(self) -> bool:
        """Return whether the answer stopped at a token limit."""
        return (self.finish_reason or "").lower() in CUT

    def warnings(self) -> list[str]:
        """Return a warning if the finish_reason is missing or unknown."""
        # An answer without a finish_reason that ended with [DONE] is complete all the same.
        if self.finish_reason is None:
            return ["the stream ended with [DONE] but named no finish_reason"]
        if self.finish_reason.lower() not in _KNOWN:
            return [f"unknown finish_reason {self.finish_reason!r}"]
        return []

"""An answer, whole or as far as it came."""

from typing import Any, NamedTuple, cast

from llmcli.api import tool_calls
from llmcli.api import unknown_fields as extra
from llmcli.api.types import Message, ToolCall, Usage
from llmcli.api.unknown_fields import Extra
from llmcli.system.dataclass import dataclass, field

CUT = ("length", "max_tokens", "model_length")

_KNOWN = ("stop", "tool_calls", "function_call", "end_turn", *CUT)


class Delta(NamedTuple):
    """What one chunk adds: text, readable reasoning, pieces of tool calls as sent."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Completion:
    """An answer, whole or as far as it came; text and reasoning are empty where they were not kept.
    `finish_reason` and `usage` are the server's own."""

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
    # Fields that nothing here reads: of the reply, of its choice, of its message.
    extra: Extra = field(default_factory=dict)
    choice_extra: Extra = field(default_factory=dict)
    message_extra: Extra = field(default_factory=dict)

    def message(self) -> Message:
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
        """The message as the next request carries it: reasoning in its structured form only."""
        message = Message(role="assistant", content=self.message()["content"])
        if self.reasoning_details:
            message["reasoning_details"] = extra.finite(self.reasoning_details)
        if self.tool_calls:
            message["tool_calls"] = tool_calls.passed_back(self.tool_calls, self.id)
        return message

    @property
    def cut(self) -> bool:
        """Ended by its length."""
        return (self.finish_reason or "").lower() in CUT

    def warnings(self) -> list[str]:
        if self.finish_reason is None:
            return ["the stream ended with [DONE] but named no finish_reason"]
        if self.finish_reason.lower() not in _KNOWN:
            return [f"unknown finish_reason {self.finish_reason!r}"]
        return []

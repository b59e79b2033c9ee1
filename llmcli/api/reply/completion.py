"""The answer of a model, complete or as far as it came."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from llmcli.api import unknown_fields as extra
from llmcli.api.reply import tool_calls
from llmcli.api.types import Message, ToolCall, Usage
from llmcli.api.unknown_fields import Extra
from llmcli.system.dataclass import dataclass, field

# Values of finish_reason in lower case, as servers spell them in either.
# Of an answer that stopped at a token limit: OpenAI's, Anthropic's, Mistral's.
CUT = ("length", "max_tokens", "model_length")
FAILED = ("error", "network_error", "insufficient_system_resource", "abort", "timeout",
          "cancelled")  # fmt: skip
FILTERED = ("content_filter", "sensitive", "safety", "refusal", "recitation", "prohibited_content")
_KNOWN = ("stop", "tool_calls", "function_call", "end_turn", "stop_sequence", *CUT)


class Delta(NamedTuple):
    """What one chunk adds to a choice; `tool_calls` are pieces of calls as the server sent them.

    `reasoning` is the readable form of the thinking. `choice` is the index of the choice; `beside`
    says that it is not the first choice, of which alone the text is shown.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    choice: int = 0
    beside: bool = False


@dataclass(frozen=True)
class Choice:
    """One of the answers of a completion, complete or as far as it came.

    `text` and `reasoning` are empty if they were not kept; `chars` is the length of the text, and
    `thought` says whether there was any reasoning. `reasoning_details` is its structured form.
    `finish_reason` is as the server sent it; `finished` says that it was the end. `extra` and
    `message_extra` are the fields that llmcli does not know, of the choice and of its message.
    """

    index: int = 0
    text: str = ""
    chars: int = 0
    reasoning: str = ""
    thought: bool = False
    reasoning_details: list[dict[str, Any]] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    refusal: str = ""
    finish_reason: str | None = None
    finished: bool = False
    extra: Extra = field(default_factory=dict)
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

    @property
    def cut(self) -> bool:
        """Return whether the answer stopped at a token limit."""
        return (self.finish_reason or "").lower() in CUT

    @property
    def images(self) -> bool:
        """Return whether there are images in the answer."""
        return bool(self.message_extra.get("images"))

    @property
    def medium(self) -> str | None:
        """Return what the answer is beside a text, such as "an image"; None if it is nothing."""
        for name, what in (("images", "an image"), ("audio", "audio")):
            if self.message_extra.get(name):
                return what
        return "not text" if self.message_extra.get("content_parts") else None

    def warnings(self) -> list[str]:
        """Return a warning if the finish_reason is missing or unknown."""
        # An answer without a finish_reason that ended with [DONE] is complete all the same.
        if self.finish_reason is None:
            return ["the stream ended with [DONE] but named no finish_reason"]
        if self.finish_reason.lower() not in _KNOWN:
            return [f"unknown finish_reason {self.finish_reason!r}"]
        return []


@dataclass(frozen=True)
class Completion:
    """The answer to a request, complete or as far as it came.

    `created` is in seconds since 1970, `usage` is as the server sent it. `extra` are the fields of
    the reply that llmcli does not know. `choices` are one or more, in the order in which they
    began; the first is the answer where only one is asked for. `ended` says that `[DONE]` has come.
    """

    id: str | None
    created: int | None
    model: str | None
    usage: Usage | None
    choices: Sequence[Choice]
    ended: bool = False
    extra: Extra = field(default_factory=dict)

    @property
    def first(self) -> Choice:
        """Return the choice that is the answer."""
        return self.choices[0]

    def passed_back(self) -> Message:
        """Return the answer as a message of the next request.

        An answer that is no text is named, such as "[an image]". It has the reasoning only in its
        structured form: that is the one which endpoints take back.
        """
        answer = self.first
        content = answer.message()["content"]
        if not content and not answer.tool_calls:
            # Endpoints refuse an empty text, and take an image or audio from a user alone.
            content = f"[{answer.medium or 'no text'}]"
        message = Message(role="assistant", content=content)
        if answer.reasoning_details:
            message["reasoning_details"] = extra.finite(answer.reasoning_details)
        if answer.tool_calls:
            message["tool_calls"] = tool_calls.passed_back(answer.tool_calls, self.id)
        return message

    def warnings(self) -> list[str]:
        """Return the warnings of all choices, each once."""
        return list(dict.fromkeys(text for choice in self.choices for text in choice.warnings()))

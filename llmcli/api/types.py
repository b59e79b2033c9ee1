"""The JSON shapes of Chat Completions, with OpenAI's names.

These dicts are sent, stored and printed as they are, without conversion. Servers add fields of
their own and leave out others, so every key is optional, and unknown ones pass through.
"""

from typing import Any, Literal, TypedDict

# The roles of a message. OpenAI's newer models have "developer" in the place of "system";
# "function" answers a function_call, as tool calls were called before November 2023.
ROLES: tuple[str, ...] = ("system", "developer", "user", "assistant", "tool", "function")


class ImageURL(TypedDict):
    """The place of an image: an http or data URL."""

    url: str


class ContentPart(TypedDict, total=False):
    """One part of a message's content: a text or an image."""

    type: Literal["text", "image_url"]
    text: str
    image_url: ImageURL


class Function(TypedDict, total=False):
    """The function that a tool call names; `arguments` is JSON in a string."""

    name: str
    arguments: str


class ToolCall(TypedDict, total=False):
    """A tool call of the model. Only a streamed piece has an `index`: the call it belongs to."""

    index: int
    id: str
    type: str
    function: Function


class Message(TypedDict, total=False):
    """A message of a conversation; `tool_call_id` is the id of the call that it answers."""

    role: str
    content: str | list[ContentPart] | None
    reasoning: str | None
    reasoning_details: list[dict[str, Any]]
    tool_calls: list[ToolCall]
    tool_call_id: str
    refusal: str | None


# These are plain dicts, as their fields are open: `-o KEY=VALUE` can add any field to a request,
# and a server any to a reply.
ChatRequest = dict[str, Any]
Chunk = dict[str, Any]
Usage = dict[str, Any]

# The event `data: [DONE]`. It has no JSON, so it is compared by identity: `chunk is DONE`.
DONE: Chunk = {}

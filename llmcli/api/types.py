"""The shapes on the wire, as OpenAI spells them. What is built is what is sent, stored and printed.

Servers add fields of their own and leave out ours: every key is optional, and unknown ones
pass through.
"""

from typing import Any, Literal, TypedDict

ROLES: tuple[str, ...] = ("system", "developer", "user", "assistant", "tool")


class ImageURL(TypedDict):
    url: str


class ContentPart(TypedDict, total=False):
    type: Literal["text", "image_url"]
    text: str
    image_url: ImageURL


class Function(TypedDict, total=False):
    name: str
    arguments: str


class ToolCall(TypedDict, total=False):
    index: int
    id: str
    type: str
    function: Function


class Message(TypedDict, total=False):
    role: str
    content: str | list[ContentPart] | None
    reasoning: str | None
    reasoning_details: list[dict[str, Any]]
    tool_calls: list[ToolCall]
    tool_call_id: str
    refusal: str | None


# Bodies are open: any field of `-o KEY=JSON` and of the server stands beside the known ones.
ChatRequest = dict[str, Any]
Chunk = dict[str, Any]
Usage = dict[str, Any]

# The event `data: [DONE]`, told apart by identity: it has no JSON of its own.
DONE: Chunk = {}

"""What the embedded model, of 135 million parameters, needs to answer well and to call tools.

All of it was found by trying.
"""

from pathlib import Path
from typing import Any

from llmcli.api.types import ChatRequest, Message

# Its own template knows no tools. Without them this one makes the same text.
TEMPLATE = Path(__file__).with_name("tools.jinja")
# The runtime reads calls from this place on, and its grammar holds only there.
_BEGINNING = Message(role="assistant", content="<tool_call>[")


def prepare(parameters: Any) -> None:
    """Without these it repeats itself to the end on every other prompt, and the lower temperature
    that its authors advise makes that worse."""
    parameters.sampling.penalty_repeat = 1.1
    parameters.sampling.penalty_last_n = 256
    parameters.sampling.dry_multiplier = 0.8
    parameters.chat_template = TEMPLATE.read_text("utf-8")


def adapt(request: ChatRequest) -> ChatRequest:
    """With tools it must be free to repeat what they gave. It never calls one of its own accord;
    a call that `tool_choice` demands is begun for it."""
    if not request.get("tools"):
        return request
    free = {"repeat_penalty": 1.0, "dry_multiplier": 0.0, "parallel_tool_calls": False}
    request = {**free, **request}
    choice = request.get("tool_choice")
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        named = [tool for tool in request["tools"] if tool.get("function", {}).get("name") == name]
        request |= {"tools": named or request["tools"], "tool_choice": "required"}
    last = request["messages"][-1].get("role")
    if request.get("tool_choice") == "required" and last != "assistant":
        request["messages"] = [*request["messages"], _BEGINNING]
    return request

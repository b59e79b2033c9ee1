"""The settings with which SmolLM2-135M, the embedded model, answers well and calls tools.

All of them were found by experiment.
"""

from pathlib import Path
from typing import Any

from llmcli.api.types import ChatRequest, Message

# The template inside the GGUF file ignores tools. This one adds them; for a request without tools
# it makes the same text as the other, which a test checks.
TEMPLATE = Path(__file__).with_name("tools.jinja")
# The beginning of an answer that is a call. The runtime takes what follows it for calls, and its
# grammar for the arguments begins to apply here.
_BEGINNING = Message(role="assistant", content="<tool_call>[")


def prepare(parameters: Any) -> None:
    """Set the sampling and the chat template in the runtime's `parameters`, before it loads.

    Temperature and top_p are those that its authors recommend; a request that sets them wins.
    Without the penalties the model repeats itself until the token limit on every second prompt.
    """
    parameters.sampling.temp = 0.2
    parameters.sampling.top_p = 0.9
    parameters.sampling.penalty_repeat = 1.1
    parameters.sampling.penalty_last_n = 256
    parameters.sampling.dry_multiplier = 0.8
    parameters.chat_template = TEMPLATE.read_text("utf-8")


def adapt(request: ChatRequest) -> ChatRequest:
    """Return the request as this model needs it; a request without tools is returned unchanged.

    With tools the penalties for repetition are off, since an answer must be able to repeat what a
    tool returned; fields that the request itself sets are kept. The model never begins a call by
    itself, so where `tool_choice` requires one, its beginning is appended as an assistant message.
    """
    if not request.get("tools"):
        return request
    no_penalties = {"repeat_penalty": 1.0, "dry_multiplier": 0.0, "parallel_tool_calls": False}
    request = {**no_penalties, **request}
    choice = request.get("tool_choice")
    if isinstance(choice, dict):
        # The runtime knows only the words for `tool_choice`: the named tool is made the only one.
        name = (choice.get("function") or {}).get("name")
        named = [tool for tool in request["tools"] if tool.get("function", {}).get("name") == name]
        request |= {"tools": named or request["tools"], "tool_choice": "required"}
    last = request["messages"][-1].get("role")
    if request.get("tool_choice") == "required" and last != "assistant":
        request["messages"] = [*request["messages"], _BEGINNING]
    return request

"""What a request may cost at most, before it is sent."""

import json
from dataclasses import dataclass
from typing import Any

from .catalogue import Model
from .pricing import UNKNOWN, Cost, Price
from .schema import ChatRequest

# No tokenizer that works on bytes makes more than a token of one.
_A_MESSAGE = 16
_AN_IMAGE = 6000
_MAX_TOKENS = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True)
class Bound:
    """`input` and `output` in tokens (output None: nothing bounds it), `cost` of both."""

    input: int
    output: int | None
    cost: Cost


def bound(request: ChatRequest, model: Model | None, price: Price | None) -> Bound:
    """Input: a token for each byte of the messages and tools, 16 a message, 6,000 an image.
    Output: `max_tokens`, else the most that the catalogue says of the model, times `n`."""
    count = _input(request)
    output = _output(request, model)
    if price is None or output is None:
        return Bound(count, output, UNKNOWN)
    # What is cached may cost more to write than to send.
    written = count if (price.cache_write or 0) > (price.prompt or 0) else 0
    return Bound(count, output, price.times(count, output, written=written))


def _input(request: ChatRequest) -> int:
    total = 0
    for message in request.get("messages", ()):
        images = _images(message)
        total += _A_MESSAGE + _bytes(message) + len(images) * _AN_IMAGE
        total -= sum(_bytes(image) for image in images)
    rest = {k: request[k] for k in ("tools", "response_format") if k in request}
    return total + (_bytes(rest) if rest else 0)


def _images(message: Any) -> list[Any]:
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else []
    return [p for p in parts if isinstance(p, dict) and p.get("type") == "image_url"]


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _output(request: ChatRequest, model: Model | None) -> int | None:
    given = [request[k] for k in _MAX_TOKENS if isinstance(request.get(k), int)]
    most = given[0] if given else None
    if most is None and model:
        most = model.max_output or model.context
    choices = request.get("n", 1)
    return None if most is None else most * (choices if isinstance(choices, int) else 1)

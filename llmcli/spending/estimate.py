"""What a request may cost at most, before it is sent."""

import json
from typing import Any

from llmcli.api.models import Model
from llmcli.api.types import ChatRequest
from llmcli.api.usage import UNKNOWN, Cost, Price
from llmcli.system.dataclass import dataclass

# No tokenizer that works on bytes makes more than a token of one.
_A_MESSAGE = 16
_AN_IMAGE = 6000
_MAX_TOKENS = ("max_completion_tokens", "max_tokens")
_ANSWERS = ("n", "best_of")


@dataclass(frozen=True)
class Bound:
    """`input` and `output` in tokens (output None: nothing bounds it), `cost` of both."""

    input: int
    output: int | None
    cost: Cost


def bound(request: ChatRequest, model: Model | None, price: Price | None) -> Bound:
    """Input: a token for each byte of the body, 16 a message, 6,000 an image. Output: `max_tokens`,
    else the most that the catalogue says of the model, for each of `n` answers."""
    count = _input(request)
    output = _output(request, model)
    free = price is not None and price.completion == 0
    if price is None or (output is None and not free):
        return Bound(count, output, UNKNOWN)
    # What is cached may cost more to write than to send.
    written = count if (price.cache_write or 0) > (price.prompt or 0) else 0
    return Bound(count, output, price.times(count, output or 0, written=written))


def _input(request: ChatRequest) -> int:
    total = _bytes(request)
    for message in request.get("messages", ()):
        images = _images(message)
        total += _A_MESSAGE + len(images) * _AN_IMAGE - sum(map(_bytes, images))
    return total


def _images(message: Any) -> list[Any]:
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else []
    return [p for p in parts if isinstance(p, dict) and p.get("type") == "image_url"]


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _output(request: ChatRequest, model: Model | None) -> int | None:
    """None where a field says what bounds nothing."""
    given = [_count(request[name]) for name in _MAX_TOKENS if name in request]
    answers = [_count(request[name]) for name in _ANSWERS if name in request]
    known = (model.max_output or model.context) if model else None
    most = _most(given) if given else known
    times = _most(answers) if answers else 1
    return None if most is None or times is None else most * times


def _most(counts: list[int | None]) -> int | None:
    whole = [count for count in counts if count is not None]
    return max(whole) if len(whole) == len(counts) else None


def _count(value: Any) -> int | None:
    """A positive whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value >= 1 and value == value // 1 else None

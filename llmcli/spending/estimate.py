"""Estimates: the most that a request may cost, computed before it is sent."""

import json
from decimal import Decimal
from typing import Any

from llmcli.api.models import Model
from llmcli.api.reply.cost import UNKNOWN, Cost, Price
from llmcli.api.types import ChatRequest
from llmcli.errors import Unbounded
from llmcli.system.dataclass import dataclass

# Tokens for the role and the end of a message, which a server adds by its chat template.
_PER_MESSAGE = 16
# The fields of a request that limit the tokens of an answer, and that multiply the answers.
_MAX_TOKENS = ("max_completion_tokens", "max_tokens")
_ANSWERS = ("n", "best_of")


@dataclass(frozen=True)
class Bound:
    """The most that a request may take: `input` and `output` in tokens, and the `cost` of both.

    `output` is None if nothing limits the answer.
    """

    input: int
    output: int | None
    cost: Cost


def bound(request: ChatRequest, model: Model | None, price: Price | None) -> Bound:
    """Return the most that `request` may take and cost.

    The input counts a token for each byte of the body, since no tokenizer that works on bytes makes
    more than one token of a byte, and 16 more for each message; images, PDFs and recordings count
    as `media_tokens` says in place of their bytes. The output counts the limit that the request
    sets, else the longest answer that `model` can give, for each of the answers that are asked for.
    The cost is unknown if `price`, in
    USD per token, is None, or if nothing limits an answer that is not free.
    """
    tokens = _input(request)
    output = _output(request, model)
    free = price is not None and price.completion == 0
    if price is None or (output is None and not free):
        return Bound(tokens, output, UNKNOWN)
    # The server may write the input to its cache, and charge more for that than for plain input.
    written = tokens if (price.cache_write or 0) > (price.prompt or 0) else 0
    return Bound(tokens, output, price.times(tokens, output or 0, written=written))


def usd_of(bound: Bound, model: str | None, *, priced: bool) -> Decimal:
    """Return the most that a request to `model` may cost, in USD.

    `priced` says whether the price of the model is known. Raises Unbounded if the cost is not
    known, since then no budget can be kept.
    """
    if bound.cost.usd is not None:
        return bound.cost.usd
    why = f"the price of {model} is not known"
    hint = "`llmcli models --refresh` asks for prices, or set prices in config.toml"
    if bound.output is None and priced:
        why, hint = "nothing limits the length of the answer", "give --max-tokens"
    raise Unbounded(f"{why}, so no budget can be kept; nothing was sent", hint=hint)


def _input(request: ChatRequest) -> int:
    total = _bytes(request)
    for message in request.get("messages", ()):
        total += _PER_MESSAGE
        for part in _parts(message):
            if (tokens := _of_media(part)) is not None:
                total += tokens - _bytes(part)
    return total


def _parts(message: Any) -> list[Any]:
    """Return the parts of the content of `message`; messages of a file may have any form."""
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, list) else []


def _of_media(part: Any) -> int | None:
    from llmcli.spending import media  # noqa: PLC0415  # a plain text has no parts

    return media.media_tokens(part)


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _output(request: ChatRequest, model: Model | None) -> int | None:
    """Return the most tokens of all answers together; None if nothing limits them.

    A field that is given but is not a positive whole number limits nothing: a server may ignore it.
    """
    limits = [_count(request[name]) for name in _MAX_TOKENS if name in request]
    answers = [_count(request[name]) for name in _ANSWERS if name in request]
    longest = (model.max_output or model.context) if model else None
    most = _largest(limits) if limits else longest
    times = _largest(answers) if answers else 1
    return None if most is None or times is None else most * times


def _largest(counts: list[int | None]) -> int | None:
    """Return the largest of `counts`; None if one of them is None."""
    whole = [count for count in counts if count is not None]
    return max(whole) if len(whole) == len(counts) else None


def _count(value: Any) -> int | None:
    """Return `value` if it is a positive whole number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value >= 1 and value == value // 1 else None

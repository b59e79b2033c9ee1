"""The request body: a dict, the JSON itself."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmcli.api.types import ChatRequest, Message
from llmcli.errors import BadRequest, UsageError

# OpenAI's o-series and gpt-5 refuse max_tokens.
_COMPLETION_TOKENS = re.compile(r"(^|/)(o[1-9]|gpt-5)")
_MOST_DIGITS = 12
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Fields with an option of their own, which does more than set the field.
RESERVED = {"messages": "PROMPT or --messages", "model": "-m", "stream": "--no-stream"}


def build(
    model: str,
    messages: Sequence[Message],
    *,
    stream: bool = True,
    fields: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> ChatRequest:
    """Return the body. `fields` are set where not None, `max_tokens` and `reasoning` by the names
    that the model knows; `extra` (`-o KEY=JSON`) wins over all."""
    request: ChatRequest = {"model": model, "messages": list(messages), "stream": stream}
    if stream:
        request["stream_options"] = {"include_usage": True}
    for name, value in (fields or {}).items():
        if value is not None:
            request[_field_name(name, model)] = _reasoning(value) if name == "reasoning" else value
    request.update(extra or {})
    return request


def _field_name(name: str, model: str) -> str:
    if name == "max_tokens" and _COMPLETION_TOKENS.search(model):
        return "max_completion_tokens"
    return name


def check_reasoning(value: str | None) -> None:
    """Raises UsageError for what is neither an effort nor a number: a typo costs money."""
    if value is None or value in EFFORTS or "max_tokens" in _reasoning(value):
        return
    known = f"{', '.join(EFFORTS)}, or a number of tokens"
    other = json.dumps({"effort": value})
    hint = f"known are {known}; another one of the endpoint's: -o reasoning='{other}'"
    raise UsageError(f"reasoning {value!r} is no effort", hint=hint)


def _reasoning(value: str) -> dict[str, Any]:
    """An effort by its name, or a number as a budget of tokens."""
    if value.isdecimal() and len(value) <= _MOST_DIGITS:
        return {"max_tokens": int(value)}
    return {"effort": value}


def parse_extra(pairs: Sequence[str]) -> dict[str, Any]:
    """`KEY=JSON` pairs. Raises UsageError."""
    extra: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"-o {pair!r} is not KEY=JSON")
        if key in RESERVED:
            raise UsageError(f"-o {key} cannot be set", hint=f"use {RESERVED[key]}")
        try:
            extra[key] = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            hint = f"a text wants quotes: -o '{key}={json.dumps(text)}'"
            raise UsageError(f"the value of -o {key} is not JSON: {text!r}", hint=hint) from None
    return extra


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def encode(request: ChatRequest | list[Any], indent: int | None = None) -> bytes:
    """The bytes that are sent: UTF-8, with escapes only where a text holds a lone surrogate.

    Raises BadRequest for what JSON cannot carry.
    """
    separators = (",", ":") if indent is None else None
    for ascii_only in (False, True):
        try:
            text = json.dumps(
                request,
                ensure_ascii=ascii_only,
                allow_nan=False,
                separators=separators,
                indent=indent,
            )
            return text.encode()
        except UnicodeEncodeError:
            continue
        except (ValueError, TypeError, RecursionError) as error:
            raise BadRequest(f"the request cannot be JSON: {error}") from None
    raise AssertionError("ASCII can always be encoded")

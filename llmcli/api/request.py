"""The request body: a dict that is the JSON itself, and the bytes that are sent."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmcli.api.types import ChatRequest, Message
from llmcli.errors import BadRequest, UsageError
from llmcli.system.text import one_line

# OpenAI's o-series and gpt-5 refuse max_tokens, and want max_completion_tokens.
_COMPLETION_TOKENS = re.compile(r"(^|/)(o[1-9]|gpt-5)")
_MOST_DIGITS = 12
# The efforts that some endpoint is known to take; most take only a few of them.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Fields that `-o` must not set, and the option to use: each does more than set its field.
RESERVED = {"messages": "PROMPT or --messages", "model": "-m", "stream": "--no-stream"}


def build(
    model: str,
    messages: Sequence[Message],
    *,
    stream: bool = True,
    fields: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> ChatRequest:
    """Return the request body.

    `fields` are set unless they are None; `max_tokens` and `reasoning` get the names and forms
    that the model knows. `extra`, the fields of `-o KEY=VALUE`, wins over all others.
    """
    request: ChatRequest = {"model": model, "messages": list(messages), "stream": stream}
    if stream:
        request["stream_options"] = {"include_usage": True}
    for name, value in (fields or {}).items():
        if value is not None:
            request[_field_name(name, model)] = _reasoning(value) if name == "reasoning" else value
    for name, value in (extra or {}).items():
        if value is None:  # also a field that stands above, such as stream_options
            request.pop(name, None)
        else:
            request[name] = value
    return request


def _field_name(name: str, model: str) -> str:
    if name == "max_tokens" and _COMPLETION_TOKENS.search(model):
        return "max_completion_tokens"
    return name


def choices_of(request: ChatRequest) -> int:
    """Return how many choices `request` asks for: its field `n`, 1 if it has none."""
    number = request.get("n")
    if isinstance(number, str) and number.isdecimal() and len(number) <= _MOST_DIGITS:
        number = int(number)
    if not isinstance(number, (int, float)) or not 1 < number < float("inf"):
        return 1
    return int(number)


def token_limit(request: ChatRequest) -> Any:
    """Return the most tokens that `request` allows the answer to have; None if it says none."""
    return request.get("max_tokens") or request.get("max_completion_tokens")


def check_reasoning(value: str | None) -> None:
    """Raise UsageError if `value` is neither a known effort nor a number of tokens.

    It is checked before anything is sent: an endpoint may ignore an effort that it does not know,
    so a typo would cost money.
    """
    if value is None or value in EFFORTS or "max_tokens" in _reasoning(value):
        return
    known = f"{', '.join(EFFORTS)}, or a number of tokens"
    other = json.dumps({"effort": value})
    hint = f"it must be one of {known}; to send another name: -o reasoning='{other}'"
    raise UsageError(f"reasoning {value!r} is not a valid effort", hint=hint)


def _reasoning(value: str) -> dict[str, Any]:
    """Return the `reasoning` object for an effort, or for a number: a budget of tokens."""
    if value.isdecimal() and len(value) <= _MOST_DIGITS:
        return {"max_tokens": int(value)}
    return {"effort": value}


def parse_extra(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the fields that `pairs` of the form KEY=VALUE set; None is for one to be left out.

    A VALUE that is JSON is taken as that, anything else as text. What begins as a JSON object, list
    or string and is not valid is a mistake. Raise UsageError for it, and for a wrong pair.
    """
    extra: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            hint = f"write -o {key}=VALUE" if key else "such as -o top_k=5"
            raise UsageError(f"-o {pair!r} is not KEY=VALUE", hint=hint)
        if key in RESERVED:
            raise UsageError(f"-o {key} cannot be set", hint=f"use {RESERVED[key]}")
        try:
            extra[key] = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            if text.lstrip()[:1] in ("{", "[", '"'):
                hint = f"a text is put in quotes: -o '{key}={json.dumps(text)}'"
                problem = f"the value of -o {key} is not valid JSON: {one_line(text, 200)}"
                raise UsageError(problem, hint=hint) from None
            extra[key] = text
    return extra


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not valid JSON")


def encode(request: ChatRequest | list[Any], indent: int | None = None) -> bytes:
    """Return `request` as the bytes that are sent: JSON in UTF-8, or indented for people.

    All characters beyond ASCII are escaped if a text has a lone surrogate, which UTF-8 cannot
    express. Raise BadRequest if a value cannot be written as JSON, such as NaN.
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
            raise BadRequest(f"the request cannot be written as JSON: {error}") from None
    raise AssertionError("ASCII can always be encoded")

"""The request body: a dict that is the JSON itself, and the bytes that are sent."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmcli.api.types import ChatRequest, Message
from llmcli.errors import BadRequest, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.text import one_line

# OpenAI's o-series and its models from gpt-5 on refuse max_tokens, and want max_completion_tokens.
_COMPLETION_TOKENS = re.compile(r"(^|/)(o[1-9]|gpt-[5-9])")
# The names of the field that limits the tokens of an answer.
TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
# The names of the field that asks for reasoning, and what each takes.
_REASONING = ("reasoning", "reasoning_effort", "thinking")
_MOST_DIGITS = 12
# The efforts that some endpoint is known to take; most take only a few of them.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Fields that `-o` must not set, and the option to use: each does more than set its field.
RESERVED = {"messages": "PROMPT or --messages", "model": "-m", "stream": "--no-stream"}


@dataclass(frozen=True)
class FieldNames:
    """How an endpoint calls the fields of a request that have several names.

    `token_limit` is one of TOKEN_LIMITS; None decides by the model. `reasoning` is "reasoning" for
    an object that takes an effort or a number of tokens, "reasoning_effort" for an effort alone, or
    "thinking" for Anthropic's object, which takes a number of tokens alone.
    """

    token_limit: str | None = None
    reasoning: str = "reasoning"


def build(
    model: str,
    messages: Sequence[Message],
    *,
    stream: bool = True,
    fields: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    names: FieldNames | None = None,
) -> ChatRequest:
    """Return the request body.

    `fields` are set unless they are None; `max_tokens` and `reasoning` get the `names` and forms
    that the endpoint and the model know. `extra`, the fields of `-o KEY=VALUE`, wins over all
    others; its None takes a field out, whichever of its names the field has.
    """
    names, extra = names or FieldNames(), extra or {}
    request: ChatRequest = {"model": model, "messages": list(messages), "stream": stream}
    if stream:
        request["stream_options"] = {"include_usage": True}
    for name, value in (fields or {}).items():
        if value is None:
            continue
        if name == "max_tokens":
            _set_unless_taken_out(request, extra, TOKEN_LIMITS, _token_limit(names, model), value)
        elif name == "reasoning":
            _set_unless_taken_out(request, extra, _REASONING, *_reasoning(value, names.reasoning))
        else:
            request[name] = value
    for name, value in extra.items():
        if value is None:  # also a field that stands above, such as stream_options
            request.pop(name, None)
        else:
            request[name] = value
    return request


def _set_unless_taken_out(
    request: ChatRequest, extra: Mapping[str, Any], names: Sequence[str], name: str, value: Any
) -> None:
    """Set `name` unless the user has taken out the field (None) under one of its `names`."""
    if not any(extra.get(other, value) is None for other in names):
        request[name] = value


def _token_limit(names: FieldNames, model: str) -> str:
    plain, of_openai = TOKEN_LIMITS
    return names.token_limit or (of_openai if _COMPLETION_TOKENS.search(model) else plain)


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


def check_reasoning(value: str | None, names: FieldNames | None = None) -> None:
    """Raise UsageError unless `value` is an effort or a number of tokens that the endpoint takes.

    It is checked before anything is sent: an endpoint may ignore what it does not know, so a typo
    would cost money.
    """
    if value is None:
        return
    form = names.reasoning if names else _REASONING[0]
    if _is_number(value):
        if form == "reasoning_effort":
            hint = f"it must be one of {', '.join(EFFORTS)}"
            raise UsageError(
                f"reasoning {value}: this provider takes no number of tokens", hint=hint
            )
    elif form == "thinking":
        hint = "such as --reasoning 2000"
        raise UsageError(f"reasoning {value!r}: this provider takes a number of tokens", hint=hint)
    elif value not in EFFORTS:
        known = ", ".join(EFFORTS) + (", or a number of tokens" if form == "reasoning" else "")
        name, other = _reasoning(value, form)
        hint = f"it must be one of {known}; to send another name: -o {name}='{json.dumps(other)}'"
        raise UsageError(f"reasoning {value!r} is not a valid effort", hint=hint)


def _is_number(value: str) -> bool:
    return value.isdecimal() and len(value) <= _MOST_DIGITS


def _reasoning(value: str, form: str) -> tuple[str, Any]:
    """Return the name and the value of the field that asks for reasoning."""
    if form == "reasoning_effort":
        return form, value
    if form == "thinking":
        return form, {"type": "enabled", "budget_tokens": int(value)}
    return form, {"max_tokens": int(value)} if _is_number(value) else {"effort": value}


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
            if key and not key.isidentifier():  # such as a file, by the habit of curl
                hint = f"a file to write is -O {key}"
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

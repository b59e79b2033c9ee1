"""The fields that llmcli adds to a request by itself, and that a server may refuse by name."""

import re
from collections.abc import Collection

from llmcli.api.request import TOKEN_LIMITS
from llmcli.api.types import ChatRequest
from llmcli.errors import LlmcliError

# Statuses of a request that the server did not understand; some answer 500 to an unknown field.
_NOT_UNDERSTOOD = (400, 404, 422, 500, 501)
# The words by which servers refuse a field, from OpenAI, Azure, Groq, Mistral, Google, LiteLLM, and
# from the libraries that read requests in Python, Rust and Go.
_REFUSAL = (
    r"(?i)un(supported|recognized|recognised|known|expected)|extra(neous)?\b|additional propert"
    r"|(not|n't|never) (be )?(support|recogni[sz]ed|permitted|allowed|accept|known|exist|implement)"
    r"|(unknown|unsupported|extra)_|no such|cannot find field"
)
# What follows these words names the fields that the server does know.
_ADVICE = (
    r"(?is)[,;.:]?\s*\b(expected one of|did you mean|use |try |instead"
    r"|(known|allowed|supported|valid|available) (fields|param|names|arguments)).*"
)


class OwnFields:
    """What the server refuses of the fields that llmcli adds, learnt once for a run.

    A field that a request can do without is left out; one that limits the tokens of an answer gets
    its other name. Any number of threads may use it at once.
    """

    def __init__(self) -> None:
        # The name to use in the place of a refused one; None leaves the field out.
        self._instead: dict[str, str | None] = {}

    def applied(self, request: ChatRequest, given: Collection[str]) -> ChatRequest:
        """Return `request` with the changes that were learnt, but for the fields that are `given`.

        `given` are the names of the fields that the user has set.
        """
        changed = {**request}
        for name, other in self._instead.items():
            if name in changed and name not in given:
                value = changed.pop(name)
                if other:
                    changed[other] = value
        return changed

    def learn(self, request: ChatRequest, given: Collection[str], error: LlmcliError) -> str | None:
        """Return what is changed because `error` refuses a field of `request`, in words for -v.

        `request` is what was sent. Return None if it refuses none of llmcli's own fields, or one
        that has no other name left.
        """
        # An error amid a stream has no status, but may tell it as its code.
        if (error.status or error.code) not in _NOT_UNDERSTOOD:
            return None
        for name in ("stream_options", *TOKEN_LIMITS):
            if name not in request or name in given or not refuses(error, name):
                continue
            other = _other_name(name)
            if other and (other in request or other in self._instead):
                return None
            self._instead[name] = other
            change = f"asked again with {other}" if other else "asked again without it"
            return f"the server refuses {name}: {change}"
        return None


def _other_name(name: str) -> str | None:
    return next((other for other in TOKEN_LIMITS if name in TOKEN_LIMITS and other != name), None)


def refuses(error: LlmcliError, name: str) -> bool:
    """Return whether `error` says that the server does not know the field `name`.

    A complaint about the value of the field is none, such as "max_tokens is too large".
    """
    param = error.fields.get("param")
    if isinstance(param, str) and param and not _is_named(name, param):
        return False
    words = f"{error.message} {error.code or ''} {error.fields.get('type') or ''}"
    blamed = param == name or _is_named(name, re.sub(_ADVICE, "", error.message))
    # Of a field that has but one value, a complaint about the value is one about the field.
    pattern = _REFUSAL if name in TOKEN_LIMITS else rf"{_REFUSAL}|invalid"
    return blamed and (re.search(pattern, words) is not None)


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){name}(?![\w-])", text) is not None

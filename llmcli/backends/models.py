"""The questions about an endpoint itself: which models it has, and how much credit is left."""

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmcli.api.models import Catalogue, Model, read_models, with_recommendations
from llmcli.api.reply.cost import amount
from llmcli.api.trace import Trace
from llmcli.config import model_cache, providers
from llmcli.errors import LlmcliError, ProtocolError
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.backends.http.endpoint import Endpoint

# Paths below the base URL. Every compatible endpoint has the first. Only the default endpoint has
# the other two: its catalogue with prices, and the models that it recommends.
_PLAIN, _VENDOR, _PICKS = "/models", "/ai/cline/models", "/ai/cline/recommended-models"
# OpenRouter's path; other endpoints answer 404.
_CREDITS = "/credits"
# The `code` of the error for an endpoint that answers, but lists no models.
NO_MODELS = "no-models"


def fetch(environment: Environment, endpoint: "Endpoint", trace: Trace) -> Catalogue:
    """Ask the endpoint for its models, store the list in the cache, and return it.

    Raises ProtocolError with the code NO_MODELS if the list is empty, and whatever
    `completions.get_json` raises.
    """
    models = _models(endpoint, trace)
    if not models:
        raise ProtocolError("the endpoint lists no models", hint="check base_url", code=NO_MODELS)
    provider = providers.of_url(endpoint.base_url)
    if provider and provider.name == "gemini":  # whose list writes models/ID where requests say ID
        models = [replace(model, id=model.id.removeprefix("models/")) for model in models]
    if all(model.price.prompt is None for model in models):
        from llmcli.backends.price_list import with_prices  # noqa: PLC0415  # an extra

        models = with_prices(models, endpoint.base_url)
    model_cache.remember_models(environment, endpoint.base_url, models)
    return Catalogue(models, time.time())


def _models(endpoint: "Endpoint", trace: Trace) -> list[Model]:
    """Return the plain list if it has prices, else the vendor's catalogue if there is one."""
    failure: LlmcliError | None = None
    try:
        plain = read_models(_get(_for_listing(endpoint), _PLAIN, trace))
    except LlmcliError as error:
        # Without an HTTP status nobody answered, so the other paths need not be tried.
        if error.status is None:
            raise
        plain, failure = [], error
    if any(model.price.prompt is not None for model in plain):
        return plain
    try:
        priced = read_models(_get(endpoint, _VENDOR, trace))
    except LlmcliError:
        priced = []
    if not priced:
        if failure and not plain:
            raise failure
        return plain
    try:
        return list(with_recommendations(priced, _get(endpoint, _PICKS, trace)))
    except LlmcliError:
        return priced


def _for_listing(endpoint: "Endpoint") -> "Endpoint":
    """Return the endpoint as it wants to be asked for its models.

    Anthropic takes `Authorization` for completions only, and wants its own headers for the list
    (https://platform.claude.com/docs/en/api/models/list).
    """
    provider = providers.of_url(endpoint.base_url)
    if provider is None or provider.name != "anthropic":
        return endpoint
    headers = {"anthropic-version": "2023-06-01", **endpoint.headers}
    return replace(endpoint, key_header="x-api-key", headers=headers)


def _get(endpoint: "Endpoint", path: str, trace: Trace) -> Any:
    from llmcli.backends.http import completions  # noqa: PLC0415  # only where something is asked

    return completions.get_json(endpoint, path, trace)


def credits_left(endpoint: "Endpoint", trace: Trace) -> Decimal | None:
    """Return the credit that is left, in USD; None if the endpoint does not tell.

    The reply that is understood is OpenRouter's: `{"data": {"total_credits", "total_usage"}}`.
    """
    try:
        value = _get(endpoint, _CREDITS, trace)
    except LlmcliError:
        return None
    inner = value.get("data") if isinstance(value, dict) else None
    data = inner if isinstance(inner, dict) else {}
    bought, used = amount(data.get("total_credits")), amount(data.get("total_usage"))
    return None if bought is None or used is None else max(bought - used, Decimal(0))

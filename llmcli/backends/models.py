"""The list of models, asked of the endpoint."""

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmcli.api.models import Catalogue, Model, read_models, with_recommendations
from llmcli.api.trace import Trace
from llmcli.api.usage import amount
from llmcli.config import model_cache
from llmcli.errors import LlmcliError, ProtocolError
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.backends.http.endpoint import Endpoint

# The vendor's catalogue, with prices, and its picks; other endpoints have the first path only.
_PLAIN, _VENDOR, _PICKS = "/models", "/ai/cline/models", "/ai/cline/recommended-models"
_CREDITS = "/credits"
NO_MODELS = "no-models"
_NOTHING = "the endpoint lists no models"


def fetch(environment: Environment, endpoint: "Endpoint", trace: Trace) -> Catalogue:
    """Asked for and remembered. Raises what `get_json` does, and
    ProtocolError with the code NO_MODELS."""
    models = _models(endpoint, trace)
    if not models:
        raise ProtocolError(_NOTHING, hint="check base_url", code=NO_MODELS)
    model_cache.remember_models(environment, endpoint.base_url, models)
    return Catalogue(models, time.time())


def _models(endpoint: "Endpoint", trace: Trace) -> list[Model]:
    """The list that says most: where the plain one has no prices, the vendor's."""
    failure: LlmcliError | None = None
    try:
        plain = read_models(_get(endpoint, _PLAIN, trace))
    except LlmcliError as error:
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


def _get(endpoint: "Endpoint", path: str, trace: Trace) -> Any:
    from llmcli.backends.http import completions

    return completions.get_json(endpoint, path, trace)


def credits_left(endpoint: "Endpoint", trace: Trace) -> Decimal | None:
    """USD that are left, where the endpoint tells: `{"data": {"total_credits", "total_usage"}}`."""
    try:
        told = _get(endpoint, _CREDITS, trace).get("data")
    except LlmcliError:
        return None
    told = told if isinstance(told, dict) else {}
    bought, used = amount(told.get("total_credits")), amount(told.get("total_usage"))
    return None if bought is None or used is None else max(bought - used, Decimal(0))

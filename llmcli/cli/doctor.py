"""`config check`: what works, what does not, and how to mend it."""

from collections.abc import Iterator
from typing import Any

from llmcli.api.models import Model
from llmcli.api.trace import Trace
from llmcli.api.usage import Price, dollars
from llmcli.backends import connect, models
from llmcli.backends.connect import Connection
from llmcli.backends.embedded import weights
from llmcli.config import keys, url
from llmcli.config.settings import Settings
from llmcli.errors import AuthError, LlmcliError, NoModel, ProtocolError
from llmcli.spending import budget
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.suggestions import near_names


@dataclass(frozen=True)
class Finding:
    """`error` is what fails; None is fine, or only worth a word if `remark`."""

    text: str  # padded: subject, then what is found
    error: LlmcliError | None = None
    remark: bool = False

    @property
    def mark(self) -> str:
        return "FAIL" if self.error else "note" if self.remark else "ok"


def examine(environment: Environment, settings: Settings) -> Iterator[Finding]:
    """The findings, each as soon as it is known. What depends on a failed one is left out."""
    path = environment.config_file
    if path.exists():
        profile = f", profile {settings.profile}" if settings.profile else ""
        yield Finding(f"config      {path}{profile}")
    else:
        yield Finding(f"config      {path} does not exist; none is needed", remark=True)
    try:
        yield from _budgets(environment, settings)
    except LlmcliError as error:
        yield Finding(f"budget      {error}", error)
    try:
        chosen = connect.choose(environment, settings)
    except LlmcliError as error:
        yield Finding(f"backend     {error}", error)
        return
    if chosen.local:
        yield from _embedded(environment, chosen)
    else:
        yield from _endpoint(environment, settings, chosen)


def _budgets(environment: Environment, settings: Settings) -> Iterator[Finding]:
    """Raises ConfigError, WriteError."""
    holds = budget.parse_budget(settings.budget, settings.source("budget"))
    if holds and not settings.ledger:
        raise budget.ledger_missing("ledger = false")
    for limit, usd in (budget.spent(environment, holds) if holds else {}).items():
        yield Finding(f"budget      {limit}: {dollars(usd)} spent or in flight")


def _embedded(environment: Environment, chosen: Connection) -> Iterator[Finding]:
    why = "no key or endpoint is configured" if chosen.chosen_by_default else "chosen by model"
    yield Finding(f"backend     the embedded model ({why})")
    if not weights.runtime_installed():
        error = connect.runtime_missing()
        yield Finding(f"runtime     {error}", error)
        return
    yield Finding("runtime     xllamacpp is installed")
    assert chosen.local is not None
    if chosen.model != weights.MODEL:
        from llmcli.backends.embedded import model as local

        try:
            local.check_weights(chosen.local.path)
        except LlmcliError as error:
            yield Finding(f"weights     {error}", error)
        else:
            yield Finding(f"weights     {chosen.local.path}")
    elif weights.present(environment):
        yield Finding(f"weights     {weights.weights_path(environment)}")
    else:
        yield Finding(
            "weights     fetched at first use, or now by `llmcli local pull`", remark=True
        )
    yield Finding(
        "more        for a stronger model set LLMCLI_API_KEY, or base_url for a server of your own",
        remark=True,
    )


def _endpoint(
    environment: Environment, settings: Settings, chosen: Connection
) -> Iterator[Finding]:
    yield Finding(f"endpoint    {chosen.base_url} ({settings.source('base_url')})")
    yield Finding(f"model       {chosen.model} ({settings.source('model')})")
    try:
        endpoint = connect.endpoint(environment, settings, chosen)
    except LlmcliError as error:
        yield Finding(f"key         {error}", error)
        return
    if endpoint.key:
        yield Finding(f"key         {endpoint.key.fingerprint} from {endpoint.key.source}")
    else:
        yield Finding(
            "key         none is sent; if the server wants one, set LLMCLI_API_KEY", remark=True
        )
    yield from _reach(environment, endpoint, chosen)


def _reach(environment: Environment, endpoint: Any, chosen: Connection) -> Iterator[Finding]:
    host = url.host_of(endpoint.base_url)
    try:
        listed = models.fetch(environment, endpoint, Trace(redact=environment.redact))
    except (NoModel, ProtocolError) as error:
        if error.status is None and error.code != models.NO_MODELS:
            yield Finding(f"connection  {error}", error)
        else:
            yield Finding(f"connection  {host} answers, but lists no models", remark=True)
        return
    except AuthError as error:
        hint = f"key from {endpoint.key.source}" if endpoint.key else keys.missing(host).hint
        yield Finding(f"connection  {environment.redact(error.message)}; {hint}", error)
        return
    except LlmcliError as error:
        yield Finding(f"connection  {error}", error)
        return
    yield Finding(f"connection  {host} answers")
    yield from _among(listed.ids(), chosen.model)
    yield from _price(listed.find(chosen.model))
    if left := models.credits_left(endpoint, Trace(redact=environment.redact)):
        yield Finding(f"credits     {dollars(left)} left")


def _price(model: Model | None) -> Iterator[Finding]:
    price = model.price if model else Price()
    if price.prompt is None or price.completion is None:
        words = "not known; costs are those that the endpoint says"
        yield Finding(f"price       {words}", remark=True)
    else:
        each = [dollars(usd * 1_000_000) for usd in (price.prompt, price.completion)]
        yield Finding(f"price       {each[0]} in, {each[1]} out, per million tokens")


def _among(ids: list[str], model: str) -> Iterator[Finding]:
    if model in ids:
        return
    near = near_names(model, ids, most=3, likeness=0.5)
    hint = f"; near ones: {', '.join(near)}" if near else ""
    yield Finding(
        f"model       {model} is not among the {len(ids)} that are listed{hint}", remark=True
    )

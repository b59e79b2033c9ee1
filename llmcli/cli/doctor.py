"""The findings of `config check`: what works, what does not, and how to mend it."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmcli.api.models import Model
from llmcli.api.reply.cost import dollars
from llmcli.api.trace import Trace
from llmcli.backends import connect, models
from llmcli.backends.connect import Connection
from llmcli.backends.embedded import weights
from llmcli.config import endpoints, headers, keys, url
from llmcli.config.settings import Settings
from llmcli.errors import AuthError, LlmcliError, NoModel, ProtocolError
from llmcli.spending import budget
from llmcli.spending.account import price_of
from llmcli.spending.sums.spent import Spent
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.suggestions import near_names

if TYPE_CHECKING:
    from llmcli.backends.http.endpoint import Endpoint

# Models of an endpoint that are named where none is configured.
_SHOWN = 8
# The status by which a proxy asks for its own password: no key would help.
_PROXY_PASSWORD = 407
# The statuses by which a server says that it has no such path, method or function.
_NO_SUCH_LIST = (404, 405, 501)


@dataclass(frozen=True)
class Finding:
    """One line of `config check`.

    `text` is the subject, padded to twelve characters, and what was found of it. `error` is set
    where the check failed. `remark` marks what is no failure but worth knowing.
    """

    text: str
    error: LlmcliError | None = None
    remark: bool = False

    @property
    def mark(self) -> str:
        """Return the word in front of the line: FAIL, note or ok."""
        return "FAIL" if self.error else "note" if self.remark else "ok"


def examine(environment: Environment, settings: Settings) -> Iterator[Finding]:
    """Yield each finding as soon as it is known, as the endpoint may take its time.

    After a failure the checks that depend on it are left out. A failure is a Finding with its
    error, and is never raised.
    """
    path = environment.config_file
    if os.path.exists(path):
        profile = f", profile {settings.profile}" if settings.profile else ""
        yield Finding(f"config      {path}{profile}")
    else:
        missing = "no home directory, so no file" if environment.is_nowhere(path) else f"no {path}"
        yield Finding(f"config      {missing}; llmcli works without it", remark=True)
    try:
        yield from _budgets(environment, settings)
    except LlmcliError as error:
        yield Finding(f"budget      {error}", error)
    yield from _backend(environment, settings)


def _backend(environment: Environment, settings: Settings) -> Iterator[Finding]:
    """Yield what is found of the endpoint or the embedded model, and of variables unused by it."""
    chosen, key = None, None
    try:
        base_url = connect.endpoint_url(environment, settings)
        if base_url is None or endpoints.is_local(settings.model):
            chosen = connect.choose(environment, settings)
    except LlmcliError as error:
        yield Finding(f"backend     {error}", error)
        base_url = None
    if chosen and chosen.local:
        yield from _embedded(environment, chosen)
    elif base_url:
        yield from _endpoint(environment, settings, base_url)
        key = _key_source(environment, settings, base_url)
    for line in endpoints.unused(settings, environment.variables, key):
        yield Finding(f"variable    {line}", remark=True)


def _key_source(environment: Environment, settings: Settings, base_url: str) -> str | None:
    """Return the variable that the key comes from; None if it comes from elsewhere."""
    try:
        return keys.variable(settings, environment.variables, base_url)
    except LlmcliError:
        return None  # it was told already


def _budgets(environment: Environment, settings: Settings) -> Iterator[Finding]:
    """Yield what was spent of each budget.

    Raises ConfigError for a budget that is not valid or has no ledger; WriteError where the ledger
    cannot be used.
    """
    limits = budget.parse_budget(settings.budget, settings.source("budget"))
    if limits and not settings.ledger:
        raise budget.ledger_missing("ledger = false")
    for limit, usd in (Spent(environment, limits).sums() if limits else {}).items():
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
        # A model file of the user, named by `local/PATH`.
        from llmcli.backends.embedded import model as local  # noqa: PLC0415  # only for this case

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
        "more        for a stronger model set the key of a provider, or base_url for a server of "
        "your own",
        remark=True,
    )


def _endpoint(environment: Environment, settings: Settings, base_url: str) -> Iterator[Finding]:
    yield Finding(f"endpoint    {url.shown(base_url)} ({settings.source('base_url')})")
    if settings.model:
        yield Finding(f"model       {settings.model} ({settings.source('model')})")
    else:
        error = connect.model_missing(base_url)
        yield Finding(f"model       {error}", error)
    connection = Connection(settings.model or "", base_url)
    try:
        endpoint = connect.endpoint(environment, settings, connection, need_key=False)
    except LlmcliError as error:
        yield Finding(f"key         {error}", error)
        return
    yield _key(settings, endpoint)
    # Without its key it is asked as well, if the user chose it: many endpoints list their models to
    # anybody.
    if endpoint.key or settings.base_url is not None:
        yield from _connection(environment, settings, endpoint)


def _key(settings: Settings, endpoint: "Endpoint") -> Finding:
    if endpoint.key:
        return Finding(f"key         {endpoint.key.fingerprint} from {endpoint.key.source}")
    if header := headers.credential_header(settings, endpoint.base_url):
        return Finding(f"key         none is sent, but your header {header}")
    missing = connect.key_missing(settings, endpoint.base_url)
    if connect.wants_key(settings, endpoint.base_url):
        return Finding(f"key         {missing}", missing)
    hint = missing.hint
    return Finding(f"key         not set; if the server needs one, {hint}", remark=True)


def _connection(
    environment: Environment, settings: Settings, endpoint: "Endpoint"
) -> Iterator[Finding]:
    """Ask the endpoint for its models and yield what the reply says of key, model and price."""
    host = url.host_of(endpoint.base_url)
    try:
        listed = models.fetch(environment, endpoint, Trace(redact=environment.redact))
    except AuthError as error:
        # The error's own hint is about a key that was sent; here the advice depends on the key.
        hint = connect.key_missing(settings, endpoint.base_url).hint
        if endpoint.key:
            hint = f"key from {endpoint.key.source}"
        if error.status == _PROXY_PASSWORD:
            hint = error.hint
        yield Finding(f"connection  {environment.redact(error.message)}; {hint}", error)
        return
    except LlmcliError as error:
        if _lists_none(error):
            yield Finding(f"connection  {host} answers, but lists no models", remark=True)
        else:
            yield Finding(f"connection  {error}", error)
        return
    yield Finding(f"connection  {host} answers")
    if settings.model:
        yield from _unlisted(listed.ids(), settings.model)
        yield from _price(settings, settings.model, listed.find(settings.model))
    else:
        yield _offered(listed.ids())
    left = models.credits_left(endpoint, Trace(redact=environment.redact))
    if left is not None:
        yield Finding(f"credits     {dollars(left)} left")


def _lists_none(error: LlmcliError) -> bool:
    """Return whether the endpoint answered, by `error`, that it has no list of models.

    It may answer completions all the same. Then it replies with a status such as 404, or with
    something else than a list.
    """
    if isinstance(error, NoModel | ProtocolError):
        return error.status is not None or error.code == models.NO_MODELS
    return error.status in _NO_SUCH_LIST


def _offered(ids: list[str]) -> Finding:
    """Return what an endpoint offers for which no model is configured."""
    if len(ids) == 1:
        return Finding(f"models      the endpoint offers one: -m {ids[0]}", remark=True)
    shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
    return Finding(f"models      the endpoint offers {len(ids)}: {shown}", remark=True)


def _price(settings: Settings, name: str, model: Model | None) -> Iterator[Finding]:
    """Yield the price that costs are reckoned by: that of the setting `prices` comes first."""
    price = price_of(settings, name, model)
    if price is None or price.prompt is None or price.completion is None:
        words = "not known; a cost is known only where the endpoint reports it"
        yield Finding(f"price       {words}", remark=True)
        return
    each = [dollars(usd * 1_000_000) for usd in (price.prompt, price.completion)]
    listed = model.price if model else None
    source = " (prices of config.toml)" if price is not listed else ""
    if model and model.price_source and not source:
        source = f" (estimated, {model.price_source})"
    yield Finding(f"price       {each[0]} in, {each[1]} out, per million tokens{source}")


def _unlisted(ids: list[str], model: str) -> Iterator[Finding]:
    """Yield a remark if `model` is not one of the `ids` that the endpoint lists."""
    if model in ids:
        return
    near = near_names(model, ids, most=3, likeness=0.5)
    hint = f"; near ones: {', '.join(near)}" if near else ""
    # A remark only: an endpoint may answer for models that it does not list, such as aliases.
    yield Finding(
        f"model       {model} is not among the {len(ids)} models of the endpoint{hint}",
        remark=True,
    )

"""The findings of `config check`: what works, what does not, and how to mend it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmcli.api.models import Model
from llmcli.api.reply.cost import Price, dollars
from llmcli.api.trace import Trace
from llmcli.backends import connect, models
from llmcli.backends.connect import Connection
from llmcli.backends.embedded import weights
from llmcli.config import keys, url
from llmcli.config.settings import Settings
from llmcli.errors import AuthError, LlmcliError, NoModel, ProtocolError
from llmcli.spending import budget
from llmcli.spending.spent import Spent
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.suggestions import near_names

if TYPE_CHECKING:
    from llmcli.backends.http.endpoint import Endpoint

# The status by which a proxy asks for its own password: no key would help.
_PROXY_PASSWORD = 407


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
    if path.exists():
        profile = f", profile {settings.profile}" if settings.profile else ""
        yield Finding(f"config      {path}{profile}")
    else:
        yield Finding(f"config      {path} does not exist; llmcli works without it", remark=True)
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
            "key         not set; if the server needs one, set LLMCLI_API_KEY", remark=True
        )
    yield from _connection(environment, endpoint, chosen)


def _connection(
    environment: Environment, endpoint: "Endpoint", chosen: Connection
) -> Iterator[Finding]:
    """Ask the endpoint for its models and yield what the reply says of key, model and price."""
    host = url.host_of(endpoint.base_url)
    try:
        listed = models.fetch(environment, endpoint, Trace(redact=environment.redact))
    except (NoModel, ProtocolError) as error:
        # An endpoint may answer completions and still have no list of models: then it replies
        # with a status such as 404, or with something else than a list.
        if error.status is None and error.code != models.NO_MODELS:
            yield Finding(f"connection  {error}", error)
        else:
            yield Finding(f"connection  {host} answers, but lists no models", remark=True)
        return
    except AuthError as error:
        # The error's own hint is about a key that was sent; here the advice depends on the key.
        hint = f"key from {endpoint.key.source}" if endpoint.key else keys.missing(host).hint
        if error.status == _PROXY_PASSWORD:
            hint = error.hint
        yield Finding(f"connection  {environment.redact(error.message)}; {hint}", error)
        return
    except LlmcliError as error:
        yield Finding(f"connection  {error}", error)
        return
    yield Finding(f"connection  {host} answers")
    yield from _unlisted(listed.ids(), chosen.model)
    yield from _price(listed.find(chosen.model))
    left = models.credits_left(endpoint, Trace(redact=environment.redact))
    if left is not None:
        yield Finding(f"credits     {dollars(left)} left")


def _price(model: Model | None) -> Iterator[Finding]:
    price = model.price if model else Price()
    if price.prompt is None or price.completion is None:
        words = "not known; a cost is known only where the endpoint reports it"
        yield Finding(f"price       {words}", remark=True)
    else:
        each = [dollars(usd * 1_000_000) for usd in (price.prompt, price.completion)]
        yield Finding(f"price       {each[0]} in, {each[1]} out, per million tokens")


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

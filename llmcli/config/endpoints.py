"""The choice of an endpoint where the settings name none, and the variables that bear on it.

The order is: the base_url of a flag, of LLMCLI_BASE_URL, of config.toml; a prefix of the model's
name, unless OPENAI_BASE_URL is set; a key that config.toml has for the default endpoint;
OPENAI_BASE_URL; LLMCLI_API_KEY or CLINE_API_KEY, which mean the default endpoint; the one provider
whose own variable is set.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llmcli.config import providers
from llmcli.config.providers import CLINE, DEFAULT_BASE_URL, PROVIDERS, Provider
from llmcli.config.settings import SETTINGS, Settings
from llmcli.errors import ConfigError
from llmcli.system.dataclass import replace
from llmcli.system.suggestions import near_names

OPENAI_BASE_URL = "OPENAI_BASE_URL"
# Settings by which config.toml may say where the key is.
KEY_SETTINGS = ("api_key_env", "api_key_command", "api_key_file", "keyring")
# Variables of llmcli that stand for no setting.
_OTHER_VARIABLES = ("API_KEY", "CONFIG", "PROFILE", "DEBUG", "SHORT", "COMPLETE")
_OWN = ("HEADER_", "QUERY_")


def is_local(model: str | None) -> bool:
    """Return whether `model` runs in this process, whatever endpoint is configured."""
    return model is not None and (model == "local" or model.startswith("local/"))


def profile(provider: Provider, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the profile that a provider is without being configured.

    Raise ConfigError if its address is to be set and is not.
    """
    address = provider.address(variables)
    if address is None:
        problem = f"the address of {provider.name} is not known"
        hint = f"set {provider.address_variable}, such as https://NAME.openai.azure.com"
        raise ConfigError(problem, hint=hint)
    has_model = provider.model and providers.of_url(address) is provider
    return {"base_url": address} | ({"model": provider.model} if has_model else {})


def completed(settings: Settings, variables: Mapping[str, str]) -> Settings:
    """Return the settings with the endpoint that they mean, and its default model.

    The endpoint stays None where nothing says which it is: then the embedded model answers, or the
    keys of several providers are set: see `providers.with_keys`.
    """
    if is_local(settings.model):
        return settings
    if settings.base_url is None:
        settings = _with_endpoint(settings, variables)
    if settings.base_url is None or settings.model:
        return settings
    provider = providers.of_url(settings.base_url)
    if provider is None or provider.model is None:
        return settings
    return _with(settings, provider.name, model=provider.model)


def _with_endpoint(settings: Settings, variables: Mapping[str, str]) -> Settings:
    openai_url = variables.get(OPENAI_BASE_URL)  # checked where it is used, as all others are
    prefix, _, model = (settings.model or "").partition("/")
    if model and prefix in PROVIDERS and PROVIDERS[prefix].is_local and not openai_url:
        address = PROVIDERS[prefix].base_url
        return _with(settings, "model", base_url=address, provider=prefix, model=model)
    given = [name for name in KEY_SETTINGS if getattr(settings, name)]
    if any(settings.bound_to.get(name, "") is None for name in given):  # beside no base_url
        return _with(settings, "default", base_url=DEFAULT_BASE_URL)
    if openai_url:
        return _with(settings, OPENAI_BASE_URL, base_url=openai_url, provider="openai")
    if given:  # by a variable, for this run
        return _with(settings, "default", base_url=DEFAULT_BASE_URL)
    for name in ("LLMCLI_API_KEY", *CLINE.variables):
        if variables.get(name):
            return _with(settings, name, base_url=DEFAULT_BASE_URL)
    found = providers.with_keys(variables)
    if len(found) == 1:
        provider = found[0]
        source = provider.key_variable(variables) or ""
        address = provider.address(variables)
        return _with(settings, source, base_url=address, provider=provider.name)
    return settings


def _with(settings: Settings, source: str, **values: Any) -> Settings:
    """Return the settings with `values`, of which `source` tells where they came from."""
    named = {name: source for name in values if name in SETTINGS}
    return replace(settings, **values, sources={**settings.sources, **named})


def several(found: list[Provider], variables: Mapping[str, str]) -> ConfigError:
    """Return the error for the keys of several providers, and no word on which is meant."""
    *first, last = (str(provider.key_variable(variables)) for provider in found)
    names = f"{', '.join(first)} and {last}"
    hint = f"choose one: {' or '.join(f'--profile {provider.name}' for provider in found)}"
    return ConfigError(f"{names} are set, and no endpoint is configured", hint=hint)


def misspelt(variables: Mapping[str, str]) -> list[str]:
    """Return a warning for each variable `LLMCLI_…` that llmcli does not read.

    Those of `_OWN` are the user's: the commands that --curl prints name them.
    """
    known = [*map(str.upper, SETTINGS), *_OTHER_VARIABLES]
    names = [name.removeprefix("LLMCLI_") for name in variables if name.startswith("LLMCLI_")]
    strange = [name for name in names if name not in known and not name.startswith(_OWN)]
    return [
        f"warning: LLMCLI_{name} is not a variable that llmcli knows; {_near(name, known)}"
        for name in strange
    ]


def _near(name: str, known: Iterable[str]) -> str:
    near = near_names(name, known)
    return f"did you mean LLMCLI_{near[0]}?" if near else "it is ignored"


def unused(settings: Settings, variables: Mapping[str, str], key: str | None) -> list[str]:
    """Return a line for each variable for a key or an address that is set and not used by this run.

    `key` is the variable that the key comes from, None if it comes from none.
    """
    used = {key, settings.source("base_url")}
    if settings.provider:
        used.add(PROVIDERS[settings.provider].address_variable)
    for_whom = {"LLMCLI_API_KEY": "an endpoint that you name uses it"}
    for provider in PROVIDERS.values():
        for name in (*provider.variables, provider.address_variable or ""):
            for_whom[name] = f"--profile {provider.name} uses it"
    unused = (name for name in for_whom if variables.get(name) and name not in used)
    return [f"{name} is set and not used here; {for_whom[name]}" for name in unused]

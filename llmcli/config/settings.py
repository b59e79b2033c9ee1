"""The settings: the type, the default and the valid values of each."""

import json
from collections.abc import Mapping
from typing import Any

from llmcli.api.reply.cost import amount
from llmcli.api.request import RESERVED
from llmcli.config import url
from llmcli.config.providers import DEFAULT_BASE_URL
from llmcli.errors import ConfigError, UsageError
from llmcli.system.dataclass import dataclass, field, fields
from llmcli.system.duration import Seconds
from llmcli.system.suggestions import did_you_mean

# The default endpoint wants HTTP-Referer to name the program, which has no web site to name.
REFERER = "urn:llmcli"
TITLE = "llmcli"
# The prices of a model that the setting `prices` may give, in USD per million tokens.
PRICES = ("prompt", "completion", "cache_read", "cache_write")
# What think_tags may be.
REASONING, TEXT = "reasoning", "text"
# What a message calls a value of each type of setting.
KIND_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    Seconds: "a time in seconds, or such as 90s, 5m or 1.5h",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _setting(kind: type, default: Any, doc: str) -> Any:
    """Return a field whose value is of the type `kind`, described by `doc` in the manual."""
    metadata = {"kind": kind, "doc": doc}
    if kind is dict:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The value of every setting in one run.

    The fields that `_setting` makes are the settings; `doc` in each says what it is. The others:

    `profile` is the name of the profile that was used, if one was, and `provider` the name of the
    provider that was chosen from the table of providers, if its address is base_url. `sources` maps
    each setting that is not a default to where its value came from: "flag", "template", the name of
    a variable, or the config file with the profile in it. `bound_to` maps each setting and header
    that config.toml set to the base_url that held in the same table; None is the default endpoint.
    """

    base_url: str | None = _setting(str, None, "the endpoint, without /chat/completions")
    model: str | None = _setting(str, None, "the model's id, or local/PATH")
    system: str | None = _setting(str, None, "system message, or @FILE")
    temperature: float | None = _setting(float, None, "sampling temperature")
    max_tokens: int | None = _setting(int, None, "most tokens to answer with")
    top_p: float | None = _setting(float, None, "nucleus sampling")
    seed: int | None = _setting(int, None, "seed for sampling")
    reasoning: str | None = _setting(
        str, None, "an effort such as low or high, or a number of tokens"
    )
    stop: list[str] | None = _setting(list, None, "texts that end the answer")
    options: dict[str, Any] = _setting(dict, {}, "further fields of the request body")
    headers: dict[str, str] = _setting(dict, {}, "further request headers")
    http_referer: str = _setting(str, REFERER, "HTTP-Referer header; empty: not sent")
    x_title: str = _setting(str, TITLE, "X-Title header; empty: not sent")
    api_key_env: str | None = _setting(str, None, "variable that holds the key")
    api_key_command: list[str] | str | None = _setting(list, None, "program that prints the key")
    api_key_file: str | None = _setting(str, None, "file that holds the key, readable by you only")
    keyring: bool | None = _setting(bool, None, "look for the key in the system keyring")
    ca_file: str | None = _setting(str, None, "CA bundle to verify the endpoint with")
    client_cert: str | None = _setting(
        str, None, "PEM file for servers that ask for a certificate, with its key or without"
    )
    client_key: str | None = _setting(
        str, None, "PEM file with that key, if client_cert has only the certificate"
    )
    allow_http: bool = _setting(bool, False, "send the key over http:// without a warning")
    connect_timeout: float = _setting(
        Seconds, 10.0, "time to connect: seconds, or such as 90s or 5m"
    )
    idle_timeout: float = _setting(Seconds, 60.0, "time of silence that ends a call")
    deadline: float = _setting(Seconds, 3600.0, "time for the whole run; 0: none")
    retries: int = _setting(int, 3, "times a temporary failure is tried again")
    think_tags: str = _setting(
        str, REASONING, "what stands in <think> at an answer's beginning: reasoning or text"
    )
    tag: str | None = _setting(str, None, "name in the ledger, to sum and to budget by")
    quiet: bool = _setting(bool, False, "no usage line and no warnings, as with -q")
    ledger: bool = _setting(bool, True, "record what requests cost")
    budget: dict[str, Any] = _setting(dict, {}, "most USD: day, month, tag.NAME.day, timezone")
    prices: dict[str, Any] = _setting(
        dict, {}, "USD per million tokens, by model; see `llmcli help money`"
    )
    profile: str | None = None
    provider: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    bound_to: Mapping[str, str | None] = field(default_factory=dict)

    def belongs(self, name: str, base_url: str) -> bool:
        """Return whether the secret `name`, a setting or a header, may be sent to `base_url`.

        A secret of config.toml may go to the endpoint it was configured for, and to no other. One
        that was given for this run, by a flag or a variable, may go wherever the run goes. Raises
        ConfigError where the base_url in config.toml is not valid.
        """
        if name not in self.bound_to:
            return True
        home = self.bound_to[name] or DEFAULT_BASE_URL
        return url.origin(url.check_base_url(home)) == url.origin(base_url)

    def source(self, name: str) -> str:
        """Return where the value of the setting `name` came from; "default" if it was not set."""
        return self.sources.get(name, "default")


# Four months in seconds; the timers of the operating system overflow for much longer times.
_LONGEST = 1e7
# Bounds of numbers that the server judges; they only keep out infinity, NaN and absurd sizes.
_LARGEST = 10**9
# The least and the most that each setting may be.
_RANGES: dict[str, tuple[float, float]] = {
    "connect_timeout": (0.001, _LONGEST),
    "idle_timeout": (0.001, _LONGEST),
    "deadline": (0, _LONGEST),
    "retries": (0, 10),  # more requests would make the outage of a server worse
    "temperature": (-_LARGEST, _LARGEST),
    "top_p": (-_LARGEST, _LARGEST),
    "max_tokens": (1, _LARGEST),
}
SETTINGS = {f.name: f for f in fields(Settings) if f.metadata}
DOCS: dict[str, str] = {name: f.metadata["doc"] for name, f in SETTINGS.items()}


def check_ranges(values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Raise an error if one of `values` is outside the range of its setting.

    `sources` says where each value came from, as `Settings.sources` does. The error is UsageError
    if the value came from a flag, ConfigError if it came from elsewhere.
    """
    for name, (low, high) in _RANGES.items():
        value = values.get(name)
        # The comparison is written so that it fails for NaN as well.
        if value is not None and not low <= value <= high:
            of_flag = sources[name] == "flag"
            shown = f"--{name.replace('_', '-')}" if of_flag else f"{sources[name]}: {name}"
            error = UsageError if of_flag else ConfigError
            raise error(f"{shown} must be from {low:,.10g} to {high:,.10g}, not {value}")


def checked(key: str, value: Any, where: str) -> Any:
    """Return `value` in the type of the setting `key`.

    A whole number is taken for a number, and a single text for a list of texts. Raises ConfigError,
    whose message begins with `where`, if there is no setting `key` or `value` is not valid for it.
    """
    setting = SETTINGS.get(key)
    if key == "api_key":
        raise ConfigError(
            f"{where}: keys are not kept in config.toml",
            hint="use api_key_file, api_key_command or LLMCLI_API_KEY",
        )
    if setting is None:
        hint = did_you_mean(key, SETTINGS) or "see `llmcli config show` for all"
        raise ConfigError(f"{where}: unknown setting {key!r}", hint=hint)
    kind = setting.metadata["kind"]
    if kind is float and type(value) is int:
        return float(value)
    if kind is Seconds:
        return _seconds(key, value, where)
    if kind is list and isinstance(value, str):
        # The text of api_key_command is a command line, to be split as a shell would split it.
        return value if key == "api_key_command" else [value]
    # bool is a subclass of int.
    if not isinstance(value, kind) or (kind in (int, float) and isinstance(value, bool)):
        # The value of headers may be a credential, so it is not shown.
        shown = "" if key == "headers" else f", not {value!r}"
        raise ConfigError(f"{where}: {key} must be {KIND_NAMES[kind]}{shown}")
    _check_items(key, value, where)
    return value


def _seconds(key: str, value: Any, where: str) -> Seconds:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return Seconds(value)
        except ValueError:
            pass
    raise ConfigError(f"{where}: {key} must be {KIND_NAMES[Seconds]}, not {value!r}")


def _check_items(key: str, value: Any, where: str) -> None:
    """Raise ConfigError for a list or a table with an item that is not valid in it."""
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: {key} must be a list of texts")
    if key == "headers" and not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"{where}: the values of headers must be texts")
    if key == "think_tags" and value not in (REASONING, TEXT):
        raise ConfigError(f"{where}: think_tags must be {REASONING} or {TEXT}, not {value!r}")
    if key == "options":
        _check_options(value, where)
    if key == "prices":
        _check_prices(value, where)


def _check_prices(prices: dict[str, Any], where: str) -> None:
    """Raise ConfigError unless each model has a price for prompt and completion."""
    for model, table in prices.items():
        whole = isinstance(table, dict) and {"prompt", "completion"} <= set(table) <= set(PRICES)
        if not whole or not all(amount(n) is not None for n in table.values()):
            hint = f"such as {{ prompt = 3.0, completion = 15.0 }}; known are {', '.join(PRICES)}"
            raise ConfigError(f"{where}: the prices of {model} are not valid", hint=hint)


def _check_options(options: dict[str, Any], where: str) -> None:
    """Raise ConfigError for a field that llmcli sets itself, and for what JSON cannot express."""
    for name in options:
        if name in RESERVED:
            raise ConfigError(f"{where}: options cannot set {name}")
    try:
        # NaN, infinity and dates are values of TOML, but not of JSON.
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: options must be JSON: {error}") from None

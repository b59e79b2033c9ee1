"""Every setting: its type, its default, what it may be."""

import json
from collections.abc import Mapping
from typing import Any

from llmcli.api.request import RESERVED
from llmcli.api.usage import amount
from llmcli.config import url
from llmcli.errors import ConfigError, UsageError
from llmcli.system.dataclass import dataclass, field, fields
from llmcli.system.suggestions import did_you_mean

DEFAULT_BASE_URL = "https://api.cline.bot/api/v1"
# The program has no site of its own to name.
REFERER = "urn:llmcli"
TITLE = "llmcli"


# Of a model, in USD per million tokens.
PRICES = ("prompt", "completion", "cache_read", "cache_write")


def _setting(kind: type, default: Any, doc: str) -> Any:
    metadata = {"kind": kind, "doc": doc}
    if kind is dict:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Every setting, resolved. `sources` says where each that is not a default came from."""

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
    api_key_command: list[str] | str | None = _setting(list, None, "program that prints the key")
    api_key_file: str | None = _setting(str, None, "file that holds the key, readable by you only")
    keyring: bool | None = _setting(bool, None, "look for the key in the system keyring")
    ca_file: str | None = _setting(str, None, "CA bundle to verify the endpoint with")
    allow_http: bool = _setting(bool, False, "send the key over http:// without a warning")
    connect_timeout: float = _setting(float, 10.0, "seconds to connect")
    idle_timeout: float = _setting(float, 60.0, "seconds of silence that end a call")
    deadline: float = _setting(float, 3600.0, "seconds for the whole run; 0: none")
    retries: int = _setting(int, 3, "times a passing fault is tried again")
    tag: str | None = _setting(str, None, "name in the ledger, to sum and to budget by")
    ledger: bool = _setting(bool, True, "record what requests cost")
    budget: dict[str, Any] = _setting(dict, {}, "most USD: day, month, tag.NAME.day, timezone")
    prices: dict[str, Any] = _setting(dict, {}, "USD per million tokens, by model; see Money")
    profile: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    # For each setting and header of config.toml, the base_url that held there (None: the default).
    beside: Mapping[str, str | None] = field(default_factory=dict)

    def belongs(self, name: str, base_url: str) -> bool:
        """Whether the key or header `name` was configured for the endpoint `base_url`, or for
        this run: a secret goes nowhere else."""
        if name not in self.beside:
            return True
        home = self.beside[name] or DEFAULT_BASE_URL
        return url.origin(url.check_base_url(home)) == url.origin(base_url)

    def source(self, name: str) -> str:
        return self.sources.get(name, "default")


_LONGEST = 1e7  # seconds: what the system's timers take
_LARGEST = 10**9
_RANGES: dict[str, tuple[float, float]] = {
    "connect_timeout": (0.001, _LONGEST),
    "idle_timeout": (0.001, _LONGEST),
    "deadline": (0, _LONGEST),
    "retries": (0, 10),  # more would amplify an outage
    "temperature": (-_LARGEST, _LARGEST),
    "top_p": (-_LARGEST, _LARGEST),
    "max_tokens": (1, _LARGEST),
}
SETTINGS = {f.name: f for f in fields(Settings) if f.metadata}
DOCS: dict[str, str] = {name: f.metadata["doc"] for name, f in SETTINGS.items()}


def check_ranges(values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Raises UsageError for a flag, ConfigError for what was configured."""
    for name, (low, high) in _RANGES.items():
        value = values.get(name)
        if value is not None and not low <= value <= high:  # false for NaN as well
            error = UsageError if sources[name] == "flag" else ConfigError
            shown = f"--{name.replace('_', '-')}" if sources[name] == "flag" else sources[name]
            raise error(f"{shown}: {name} cannot be {value}", hint=f"{low:g} to {high:g}")


def checked(key: str, value: Any, where: str) -> Any:
    """`value` in the setting's own type. Raises ConfigError naming `where`."""
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
    if kind is list and isinstance(value, str):
        return value if key == "api_key_command" else [value]
    if not isinstance(value, kind) or (kind in (int, float) and isinstance(value, bool)):
        names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        wanted = names.get(kind, "a list" if kind is list else "a table")
        shown = "" if key == "headers" else f", not {value!r}"
        raise ConfigError(f"{where}: {key} must be {wanted}{shown}")
    if kind is list and not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: {key} must be a list of texts")
    if key == "headers" and not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"{where}: the values of headers must be texts")
    if key == "options":
        _check_options(value, where)
    if key == "prices":
        _check_prices(value, where)
    return value


def _check_prices(prices: dict[str, Any], where: str) -> None:
    for model, table in prices.items():
        whole = isinstance(table, dict) and {"prompt", "completion"} <= set(table) <= set(PRICES)
        if not whole or not all(amount(n) is not None for n in table.values()):
            hint = f"such as {{ prompt = 3.0, completion = 15.0 }}; known are {', '.join(PRICES)}"
            raise ConfigError(f"{where}: the prices of {model} are none", hint=hint)


def _check_options(options: dict[str, Any], where: str) -> None:
    for name in options:
        if name in RESERVED:
            raise ConfigError(f"{where}: options cannot hold {name}")
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: options must be JSON: {error}") from None

"""config.toml and the environment, resolved into Settings.

Flag > environment (`LLMCLI_*`) > profile > top level > default. Only the user's own file is read,
never one of the working directory.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from . import url
from .environment import Environment
from .errors import ConfigError, UsageError
from .headers import is_secret
from .request import RESERVED

DEFAULT_BASE_URL = "https://api.cline.bot/api/v1"
# The program has no site of its own to name.
REFERER = "urn:llmcli"
TITLE = "llmcli"


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
        return url.origin(url.check(home)) == url.origin(base_url)

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
_SETTINGS = {f.name: f for f in fields(Settings) if f.metadata}
DOCS: dict[str, str] = {name: f.metadata["doc"] for name, f in _SETTINGS.items()}


def resolve(
    environment: Environment,
    flags: Mapping[str, Any],
    profile: str | None,
    template: Mapping[str, Any] | None = None,
) -> Settings:
    """`flags` holds what the command line gave; None means not given. A `template` was named there
    as well, so it stands above the environment. Raises ConfigError."""
    path = environment.config_file
    if environment.variables.get("LLMCLI_CONFIG") and not path.exists():
        raise ConfigError(f"LLMCLI_CONFIG names {path}, which does not exist")
    document = load(path)
    profiles = document.pop("profiles", {})
    named_default = document.pop("profile", None)
    name = profile or environment.variables.get("LLMCLI_PROFILE") or named_default
    layers = [(str(path), document)]
    if name:
        layers.append((f"{path} [profiles.{name}]", _profile(profiles, name, path)))
    layers.append(("environment", _from_variables(environment.variables)))
    layers.append(("template", dict(template or {})))
    layers.append(("flag", {k: v for k, v in flags.items() if v is not None and v != []}))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    beside: dict[str, str | None] = {}
    for origin, layer in layers:
        if origin not in ("environment", "template", "flag"):
            base_url = layer.get("base_url", values.get("base_url"))
            beside |= dict.fromkeys([*layer, *layer.get("headers", {})], base_url)
        else:
            for named in [*layer, *layer.get("headers", {})]:
                beside.pop(named, None)  # named for this run
        for key, value in layer.items():
            merge = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = values[key] | value if merge else value
            sources[key] = f"LLMCLI_{key.upper()}" if origin == "environment" else origin
    check_ranges(values, sources)
    return Settings(**values, profile=name, sources=sources, beside=beside)


def check_ranges(values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Raises UsageError for a flag, ConfigError for what was configured."""
    for name, (low, high) in _RANGES.items():
        value = values.get(name)
        if value is not None and not low <= value <= high:  # false for NaN as well
            error = UsageError if sources[name] == "flag" else ConfigError
            shown = f"--{name.replace('_', '-')}" if sources[name] == "flag" else sources[name]
            raise error(f"{shown}: {name} cannot be {value}", hint=f"{low:g} to {high:g}")


def load(path: Path) -> dict[str, Any]:
    """The document with its types checked; {} where there is no such file. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    document, text = parse(data, path)
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(p, dict) for p in profiles.values()):
        raise ConfigError(f"{path}: profiles are tables", hint="write [profiles.NAME]")
    if not isinstance(document.get("profile", ""), str):
        hint = "a table of settings is [profiles.NAME]"
        raise ConfigError(f"{path}: profile must be the name of one", hint=hint)
    for table in (document, *profiles.values()):
        for key, value in table.items():
            if table is not document or key not in ("profiles", "profile"):
                table[key] = checked(key, value, f"{path}{line_of(key, text)}")
    _refuse_shared_secrets(path, document)
    return document


def parse(data: bytes, path: Path) -> tuple[dict[str, Any], str]:
    """The document and its text. Raises ConfigError with line and column."""
    try:
        text = data.decode()
        return tomllib.loads(text), text
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}:{_position(error, text)}") from None
    except (ValueError, RecursionError) as error:  # numbers and nesting beyond all limits
        raise ConfigError(f"{path}: {error}") from None


def _position(error: tomllib.TOMLDecodeError, text: str) -> str:
    """tomllib names the place in its message only: `... (at line 3, column 5)`."""
    message = f"not TOML: {error}"
    if place := re.search(r" \(at line (\d+), column (\d+)\)$", message):
        return f"{place[1]}:{place[2]}: {message[: place.start()]}"
    return f"{text.count(chr(10)) + 1}: {message}"


def line_of(key: str, text: str) -> str:
    found = re.search(rf"^[ \t]*\[?\"?{re.escape(key)}\b", text, re.M)
    return f":{text.count(chr(10), 0, found.start()) + 1}" if found else ""


def checked(key: str, value: Any, where: str) -> Any:
    """`value` in the setting's own type. Raises ConfigError naming `where`."""
    setting = _SETTINGS.get(key)
    if key == "api_key":
        raise ConfigError(
            f"{where}: keys are not kept in config.toml",
            hint="use api_key_file, api_key_command or LLMCLI_API_KEY",
        )
    if setting is None:
        near = get_close_matches(key, _SETTINGS, 1)
        raise ConfigError(
            f"{where}: unknown setting {key!r}",
            hint=f"did you mean {near[0]}?" if near else "see `llmcli config show` for all",
        )
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
    return value


def _check_options(options: dict[str, Any], where: str) -> None:
    for name in options:
        if name in RESERVED:
            raise ConfigError(f"{where}: options cannot hold {name}")
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: options must be JSON: {error}") from None


def _refuse_shared_secrets(path: Path, document: dict[str, Any]) -> None:
    """A config whose headers hold a secret must not be readable by others."""
    tables = (document, *document.get("profiles", {}).values())
    secret = any(is_secret(name) for table in tables for name in table.get("headers", {}))
    if secret and path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} holds a key and can be read by others", hint=f"chmod 600 {path}")


def _profile(profiles: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    if name in profiles:
        table: dict[str, Any] = profiles[name]
        return table
    near = get_close_matches(name, profiles, 1) or sorted(profiles)
    known = f"did you mean {near[0]}?" if near else "none is defined"
    raise ConfigError(f"unknown profile {name!r} in {path}", hint=known)


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    """`LLMCLI_MODEL` and the like; a table as a JSON object."""
    values: dict[str, Any] = {}
    for key, setting in _SETTINGS.items():
        text, kind = variables.get(f"LLMCLI_{key.upper()}"), setting.metadata["kind"]
        if not text:
            continue
        try:
            values[key] = _from_text(text, kind)
        except ValueError:
            raise ConfigError(f"LLMCLI_{key.upper()} is not valid: {text!r}") from None
    return values


def _from_text(text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in ("1", "true", "yes", "0", "false", "no"):
            raise ValueError(text)
        return text.lower() in ("1", "true", "yes")
    if kind is dict:
        table = json.loads(text)
        if not isinstance(table, dict):
            raise ValueError(text)
        return table
    if kind is list:
        items = json.loads(text) if text.startswith("[") else text
        if isinstance(items, list) and not all(isinstance(item, str) for item in items):
            raise ValueError(text)
        return items
    return kind(text)

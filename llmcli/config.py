"""config.toml and the environment, resolved into Settings.

Flag > environment (`LLMCLI_*`) > profile > top level > default. Only the user's own file is read,
never one of the working directory.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .environment import Environment
from .errors import ConfigError

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

    base_url: str | None = _setting(str, None, "the endpoint, up to and without /chat/completions")
    model: str | None = _setting(str, None, "the model's id, or local/PATH")
    system: str | None = _setting(str, None, "system message, or @FILE")
    temperature: float | None = _setting(float, None, "sampling temperature, 0 to 2")
    max_tokens: int | None = _setting(int, None, "most tokens to answer with")
    top_p: float | None = _setting(float, None, "nucleus sampling")
    seed: int | None = _setting(int, None, "seed for sampling")
    reasoning: str | None = _setting(str, None, "none, low, medium, high, or a number of tokens")
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
    configured_base_url: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        return self.sources.get(name, "default")


_SETTINGS = {f.name: f for f in fields(Settings) if f.metadata}
DOCS: dict[str, str] = {name: f.metadata["doc"] for name, f in _SETTINGS.items()}


def resolve(environment: Environment, flags: Mapping[str, Any], profile: str | None) -> Settings:
    """`flags` holds what the command line gave; None means not given. Raises ConfigError."""
    path = environment.config_file
    document = load(path)
    profiles = document.pop("profiles", {})
    named_default = document.pop("profile", None)
    name = profile or environment.variables.get("LLMCLI_PROFILE") or named_default
    layers = [(str(path), document)]
    if name:
        layers.append((f"{path} [profiles.{name}]", _profile(profiles, name, path)))
    layers.append(("environment", _from_variables(environment.variables)))
    layers.append(("flag", {k: v for k, v in flags.items() if v is not None and v != []}))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    configured = None
    for origin, layer in layers:
        if origin not in ("environment", "flag"):
            configured = layer.get("base_url", configured)
        for key, value in layer.items():
            merge = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = values[key] | value if merge else value
            sources[key] = f"LLMCLI_{key.upper()}" if origin == "environment" else origin
    return Settings(**values, profile=name, configured_base_url=configured, sources=sources)


def load(path: Path) -> dict[str, Any]:
    """The document with its types checked; {} where there is no such file. Raises ConfigError."""
    try:
        text = path.read_bytes().decode()
        document = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}:{_position(error, text)}") from None
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(p, dict) for p in profiles.values()):
        raise ConfigError(f"{path}: profiles are tables", hint="write [profiles.NAME]")
    for table in (document, *profiles.values()):
        for key, value in table.items():
            if table is document and key in ("profiles", "profile"):
                continue
            table[key] = _checked(key, value, f"{path}{_line_of(key, text)}")
    _refuse_shared_secrets(path, document)
    return document


def _position(error: tomllib.TOMLDecodeError, text: str) -> str:
    """tomllib names the place in its message only: `... (at line 3, column 5)`."""
    message = str(error)
    if place := re.search(r" \(at line (\d+), column (\d+)\)$", message):
        return f"{place[1]}:{place[2]}: {message[: place.start()]}"
    return f"{text.count(chr(10)) + 1}: {message}"


def _line_of(key: str, text: str) -> str:
    found = re.search(rf"^[ \t]*\[?\"?{re.escape(key)}\b", text, re.M)
    return f":{text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _checked(key: str, value: Any, where: str) -> Any:
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
        raise ConfigError(f"{where}: {key} must be {wanted}, not {value!r}")
    if kind is list and not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: {key} must be a list of texts")
    if key == "headers" and not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"{where}: the values of headers must be texts")
    return value


def _refuse_shared_secrets(path: Path, document: dict[str, Any]) -> None:
    """A config whose headers hold a secret must not be readable by others."""
    tables = (document, *document.get("profiles", {}).values())
    secret = any(is_secret(name) for table in tables for name in table.get("headers", {}))
    if secret and path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} holds a key and can be read by others", hint=f"chmod 600 {path}")


def is_secret(header: str) -> bool:
    """Whether a header of this name carries a credential."""
    return bool(re.search(r"auth|key|token|secret|cookie|password", header, re.I))


def _profile(profiles: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    if name in profiles:
        table: dict[str, Any] = profiles[name]
        return table
    near = get_close_matches(name, profiles, 1) or sorted(profiles)
    known = f"did you mean {near[0]}?" if near else "none is defined"
    raise ConfigError(f"unknown profile {name!r} in {path}", hint=known)


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    """`LLMCLI_MODEL` and the like; tables cannot be given that way."""
    values: dict[str, Any] = {}
    for key, setting in _SETTINGS.items():
        text, kind = variables.get(f"LLMCLI_{key.upper()}"), setting.metadata["kind"]
        if not text or kind is dict:
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
    return text if kind is list else kind(text)

"""config.toml and the environment, resolved into Settings.

Flag > environment (`LLMCLI_*`) > profile > top level > default. Only the user's own file is read,
never one of the working directory.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmcli.config.headers import is_secret
from llmcli.config.settings import SETTINGS, Settings, check_ranges, checked
from llmcli.errors import ConfigError
from llmcli.system.environment import Environment
from llmcli.system.suggestions import near_names


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
    document = load_config(path)
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
            values[key] = _merged(values.get(key), value, deep=key == "budget")
            sources[key] = f"LLMCLI_{key.upper()}" if origin == "environment" else origin
    check_ranges(values, sources)
    return Settings(**values, profile=name, sources=sources, beside=beside)


def _merged(before: Any, value: Any, deep: bool) -> Any:
    """Tables of several layers are one; of a budget no limit is lost."""
    if not (isinstance(before, dict) and isinstance(value, dict)):
        return value
    if not deep:
        return before | value
    return before | {key: _merged(before.get(key), item, deep) for key, item in value.items()}


def load_config(path: Path) -> dict[str, Any]:
    """The document with its types checked; {} where there is no such file. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    document, text = parse_toml(data, path)
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


def parse_toml(data: bytes, path: Path) -> tuple[dict[str, Any], str]:
    """The document and its text. Raises ConfigError with line and column."""
    import tomllib

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


def _position(error: ValueError, text: str) -> str:
    """tomllib names the place in its message only: `... (at line 3, column 5)`."""
    message = f"not TOML: {error}"
    if place := re.search(r" \(at line (\d+), column (\d+)\)$", message):
        return f"{place[1]}:{place[2]}: {message[: place.start()]}"
    return f"{text.count(chr(10)) + 1}: {message}"


def line_of(key: str, text: str) -> str:
    found = re.search(rf"^[ \t]*\[?\"?{re.escape(key)}\b", text, re.M)
    return f":{text.count(chr(10), 0, found.start()) + 1}" if found else ""


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
    near = near_names(name, profiles) or sorted(profiles)
    known = f"did you mean {near[0]}?" if near else "none is defined"
    raise ConfigError(f"unknown profile {name!r} in {path}", hint=known)


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    """`LLMCLI_MODEL` and the like; a table as a JSON object."""
    values: dict[str, Any] = {}
    for key, setting in SETTINGS.items():
        text, kind = variables.get(f"LLMCLI_{key.upper()}"), setting.metadata["kind"]
        if not text:
            continue
        try:
            values[key] = _from_text(text, kind)
        except (ValueError, RecursionError):
            raise ConfigError(f"LLMCLI_{key.upper()} is not valid: {text!r}") from None
        values[key] = checked(key, values[key], f"LLMCLI_{key.upper()}")
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

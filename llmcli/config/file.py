"""The resolution of config.toml, the environment, a template and the flags into Settings.

A flag wins over a template, a template over the environment (`LLMCLI_*`), the environment over the
chosen profile, the profile over the top level of config.toml, and that over the default. Each
provider is a profile by its name, unless config.toml has one of that name. Only the user's own
config.toml is read, never one of the working directory, because the working directory may belong to
somebody else.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmcli.config import endpoints
from llmcli.config.headers import is_secret
from llmcli.config.providers import AUTHORIZATION, PROVIDERS, of_url
from llmcli.config.settings import KIND_NAMES, SETTINGS, Settings, check_ranges, checked
from llmcli.errors import ConfigError
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment
from llmcli.system.files.regular import open_regular
from llmcli.system.suggestions import did_you_mean, nearest_first

# The sources of values for this run only; all other sources are tables of config.toml.
_OF_THIS_RUN = ("environment", "template", "flag")
_TRUE = ("1", "true", "yes")
_FALSE = ("0", "false", "no")


def resolve(
    environment: Environment,
    flags: Mapping[str, Any],
    profile: str | None,
    template: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of a run, each from the source that ranks highest.

    `flags` maps the names of settings to what the command line gave; None or [] means that the
    option was not given. `profile` is the value of --profile. `template` maps the names of settings
    to what the template sets; a template is named on the command line, so it wins over the
    environment.

    Raises ConfigError for what is wrong in config.toml or the environment, and UsageError for a
    flag that is out of range.
    """
    path = environment.config_file
    document = load_config(path, named=bool(environment.variables.get("LLMCLI_CONFIG")))
    profiles = document.pop("profiles", {})
    default_profile = document.pop("profile", None)
    name = profile or environment.variables.get("LLMCLI_PROFILE") or default_profile
    layers = [(str(path), document)]
    provider = None if name in profiles else PROVIDERS.get(name or "")
    if provider:
        table = endpoints.profile(provider, environment.variables)
        layers.append((f"provider {provider.name}", table))
    elif name:
        layers.append((f"{path} [profiles.{name}]", _profile(profiles, name, path)))
    layers.append(("environment", _from_variables(environment.variables)))
    layers.append(("template", dict(template or {})))
    layers.append(("flag", {k: v for k, v in flags.items() if v is not None and v != []}))
    settings = _combined(layers, name)
    environment.quiet = environment.quiet or settings.quiet
    if not environment.quiet:
        for warning in endpoints.misspelt(environment.variables):
            environment.say_once(warning)
    if provider and (source := settings.source("base_url")) == f"provider {provider.name}":
        settings = replace(settings, provider=provider.name)
    elif provider and source == "LLMCLI_BASE_URL":
        environment.note(f"{source} stands above the profile {provider.name}")
    return endpoints.completed(settings, environment.variables)


def _combined(layers: list[tuple[str, dict[str, Any]]], profile: str | None) -> Settings:
    """Return the settings of `layers`, which are pairs of source and table, the lowest first."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    bound_to: dict[str, str | None] = {}
    for source, layer in layers:
        names = [*layer, *layer.get("headers", {})]
        if source in _OF_THIS_RUN:
            for name in names:
                bound_to.pop(name, None)
        else:
            # Before the values are merged: a table without a base_url has that of the table below.
            bound_to |= dict.fromkeys(names, layer.get("base_url", values.get("base_url")))
        for key, value in layer.items():
            values[key] = _merged(values.get(key), value, deep=key == "budget")
            sources[key] = f"LLMCLI_{key.upper()}" if source == "environment" else source
    check_ranges(values, sources)
    return Settings(**values, profile=profile, sources=sources, bound_to=bound_to)


def _merged(lower: Any, higher: Any, *, deep: bool) -> Any:
    """Return `higher`, or, where both values are tables, the union of the two.

    `deep` merges the tables within the tables as well: so a profile that limits one tag in its
    `budget` does not lift the limits that the top level sets.
    """
    if not (isinstance(lower, dict) and isinstance(higher, dict)):
        return higher
    if not deep:
        return lower | higher
    merged = {key: _merged(lower.get(key), item, deep=True) for key, item in higher.items()}
    return lower | merged


def load_config(path: Path, *, named: bool = False) -> dict[str, Any]:
    """Read the config file at `path` and check the type of each setting in it.

    The result has the form of the file: settings at the top, `profile` with the name of the default
    profile, and `profiles` with a table for each profile. It is {} where the file does not exist,
    unless it is `named` by LLMCLI_CONFIG.

    Raises ConfigError for a file that cannot be read, that is not TOML, that holds an unknown
    setting or a wrong type, or that others can read although a header in it is secret.
    """
    try:
        data, mode = (b"", 0) if str(path) == os.devnull else _read(path)
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise ConfigError(f"LLMCLI_CONFIG names {path}, which does not exist") from None
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    document, text = parse_toml(data, path)
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(p, dict) for p in profiles.values()):
        raise ConfigError(f"{path}: each profile must be a table", hint="write [profiles.NAME]")
    if not isinstance(document.get("profile", ""), str):
        hint = "a table of settings is [profiles.NAME]"
        raise ConfigError(f"{path}: profile must be the name of a profile", hint=hint)
    for table in (document, *profiles.values()):
        for key, value in table.items():
            if table is not document or key not in ("profiles", "profile"):
                table[key] = checked(key, value, f"{path}{line_of(key, text)}")
    if mode & 0o077:
        _refuse_shared_secrets(path, document)
    _refuse_two_keys(path, document)
    return document


def _read(path: Path) -> tuple[bytes, int]:
    """Return the content and the mode of the file at `path`; raise OSError."""
    with open_regular(path) as file:
        return file.read(), os.fstat(file.fileno()).st_mode


def parse_toml(data: bytes, path: Path) -> tuple[dict[str, Any], str]:
    """Return the TOML document in `data`, parsed and as text.

    Raises ConfigError, which names `path` and, where known, line and column, if `data` is not UTF-8
    or not TOML.
    """
    import tomllib  # noqa: PLC0415  # loaded only where there is a file to parse

    try:
        text = data.decode("utf-8-sig")
        return tomllib.loads(text), text
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _not_utf8(data, path, line) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}:{_position(error, text)}") from None
    except (ValueError, RecursionError) as error:
        # Python's own limits: digits of an integer, depth of nesting.
        raise ConfigError(f"{path}: {error}") from None


def _not_utf8(data: bytes, path: Path, line: int) -> ConfigError:
    from llmcli.system.files import not_text  # noqa: PLC0415  # needed for an error only

    if encoding := not_text.wide_encoding(data):
        hint = not_text.convert(encoding, str(path))
        return ConfigError(f"{path} is {encoding} text, not UTF-8", hint=hint)
    return ConfigError(f"{path}:{line}: not UTF-8")


def _position(error: ValueError, text: str) -> str:
    """Return `LINE:COLUMN: MESSAGE` for an error of tomllib.

    Before Python 3.14 tomllib gives the place in its message only, as `(at line 3, column 5)`; for
    an error at the end of the document it gives no place.
    """
    message = f"not TOML: {error}"
    if place := re.search(r" \(at line (\d+), column (\d+)\)$", message):
        return f"{place[1]}:{place[2]}: {message[: place.start()]}"
    return f"{text.count(chr(10)) + 1}: {message}"


def line_of(key: str, text: str) -> str:
    """Return `:LINE` for the first line of the TOML `text` that begins with `key`, or "".

    The line is a help for the reader of a message, not exact: the same key may stand in several
    tables, and tomllib does not say where a value stood.
    """
    match = re.search(rf"^[ \t]*\[?\"?{re.escape(key)}\b", text, re.M)
    return f":{text.count(chr(10), 0, match.start()) + 1}" if match else ""


def _refuse_shared_secrets(path: Path, document: dict[str, Any]) -> None:
    """Raise ConfigError if a header in the config, which others can read, is secret."""
    tables = (document, *document.get("profiles", {}).values())
    secret = any(is_secret(name) for table in tables for name in table.get("headers", {}))
    if secret:
        raise ConfigError(f"{path} holds a key and can be read by others", hint=f"chmod 600 {path}")


def _refuse_two_keys(path: Path, document: dict[str, Any]) -> None:
    """Raise ConfigError if one table has both a key and the header that carries the key."""
    for table in (document, *document.get("profiles", {}).values()):
        key = next((name for name in endpoints.KEY_SETTINGS if table.get(name)), None)
        header = next((n for n in table.get("headers", {}) if _carries_key(n, table)), None)
        if key and header:
            hint = f"keep one of the two: the header {header} is sent in the place of a key"
            raise ConfigError(
                f"{path}: {key} and the header {header} stand in one table", hint=hint
            )


def _carries_key(header: str, table: dict[str, Any]) -> bool:
    """Return whether `header` carries the key of the endpoint that `table` names."""
    provider = of_url(table.get("base_url") or "")
    names = {AUTHORIZATION.lower(), (provider.key_header if provider else AUTHORIZATION).lower()}
    return header.lower() in names


def _profile(profiles: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return the table of the profile `name`. Raises ConfigError where there is none."""
    if name in profiles:
        table: dict[str, Any] = profiles[name]
        return table
    known = list(dict.fromkeys([*profiles, *PROVIDERS]))
    near = did_you_mean(name, known)
    rest = f"the profiles are {', '.join(nearest_first(name, known))}"
    hint = f"{near} {rest.capitalize()}" if near else f"{rest}; define others in {path}"
    raise ConfigError(f"unknown profile {name!r}", hint=hint)


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that variables such as `LLMCLI_MODEL` give; an empty one gives none."""
    values: dict[str, Any] = {}
    for key, setting in SETTINGS.items():
        name, kind = f"LLMCLI_{key.upper()}", setting.metadata["kind"]
        text = variables.get(name)
        if not text:
            continue
        try:
            value = _from_text(text, kind)
        except (ValueError, RecursionError):
            # The value of headers may be a credential, so it is not shown.
            shown = "" if key == "headers" else f", not {text!r}"
            raise ConfigError(f"{name} must be {_form_in_text(kind)}{shown}") from None
        values[key] = checked(key, value, name)
    return values


def _form_in_text(kind: type) -> str:
    """Return how a value of the type `kind` is written in a variable, for a message."""
    if kind is dict:
        return "a JSON object"
    return "a JSON list of texts" if kind is list else KIND_NAMES[kind]


def _from_text(text: str, kind: type) -> Any:
    """Return the value of the type `kind` that `text` stands for.

    A table is written as a JSON object, a list as a JSON list or, if it has one item only, as that
    item. Raises ValueError or RecursionError for other text.
    """
    if kind is bool:
        if text.lower() not in (*_TRUE, *_FALSE):
            raise ValueError(text)
        return text.lower() in _TRUE
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

"""The search for the API key, and the rules for where a key may be sent.

A key is never shown, logged or stored; messages show `Key.fingerprint` in its place.
"""

import os
import resource
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmcli.config import providers
from llmcli.config.headers import credential_header
from llmcli.config.paths import path_of
from llmcli.config.providers import DEFAULT_BASE_URL
from llmcli.config.settings import Settings
from llmcli.config.url import is_loopback
from llmcli.errors import ConfigError, LlmcliError, deadline_reached
from llmcli.system.dataclass import dataclass, field
from llmcli.system.environment import Environment
from llmcli.system.files.regular import is_open, open_regular

# The service under which `keyring set llmcli default` stores a key.
KEYRING_SERVICE = "llmcli"
# Settings that say where a key is, other than in a variable.
_WITHOUT_VARIABLE = ("api_key_command", "api_key_file", "keyring")
# Bytes that a key command may print, and that are read of a key file: both may be endless.
_MOST_BYTES = 65536


@dataclass(frozen=True)
class Key:
    """An API key. `source` says where it came from, for messages, and does not contain it."""

    value: str = field(repr=False)
    source: str

    @property
    def fingerprint(self) -> str:
        """Return `…` and the last four characters, or `…` alone if there are less than 20."""
        return f"…{self.value[-4:]}" if len(self.value) >= 20 else "…"


def find(environment: Environment, settings: Settings, base_url: str) -> Key | None:
    """Return the first key that may be sent to `base_url`; None where there is none.

    The sources are, in this order: api_key_env, LLMCLI_API_KEY, a provider's own variable,
    api_key_command, the keyring and api_key_file. A provider's own variable goes to its origin
    alone, a key of config.toml to the endpoint it was configured for, and LLMCLI_API_KEY to an
    endpoint that the user named or to the default one.

    The key is added to `environment.secrets`, so that messages are printed without it, and core
    dumps of this process are switched off. Raises ConfigError for a key that is malformed or a
    source that fails, TimedOut if api_key_command has not ended at the deadline.
    """
    # A generator, so that no command is run and no keyring opened once a key is found.
    for key in _candidates(environment, settings, base_url):
        environment.secrets.add(key.value)
        # A crash of the interpreter must not leave the key in a core file.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return key
    return None


def _candidates(environment: Environment, settings: Settings, base_url: str) -> Iterator[Key]:
    variables = environment.variables
    if settings.api_key_env and _may_go("api_key_env", settings, base_url):
        yield _from_variable(settings.api_key_env, variables)
    for name in _variables(settings, variables, base_url):
        yield _checked(variables[name], name)
    yield from _configured(settings, base_url, environment)


def _variables(settings: Settings, variables: Mapping[str, str], base_url: str) -> list[str]:
    """Return the variables with a key for `base_url` that are set, but for that of api_key_env."""
    # A provider that the table has chosen was not named by the user, as LLMCLI_API_KEY demands.
    names = [] if settings.provider else ["LLMCLI_API_KEY"]
    owners = list(providers.owners(base_url, variables))
    owners.sort(key=lambda provider: provider.name != settings.provider)
    names += [provider.key_variable(variables) or "" for provider in owners]
    return [name for name in names if variables.get(name)]


def variable(settings: Settings, variables: Mapping[str, str], base_url: str) -> str | None:
    """Return the variable that the key for `base_url` comes from; None if it is none of them."""
    if credential_header(settings, base_url):
        return None
    if settings.api_key_env and _may_go("api_key_env", settings, base_url):
        return settings.api_key_env
    return next(iter(_variables(settings, variables, base_url)), None)


def _may_go(name: str, settings: Settings, base_url: str) -> bool:
    """Return whether the key of the setting `name` may be sent to `base_url`.

    One that a variable gave for this run is like LLMCLI_API_KEY: it goes where the user points, not
    to a provider of the table.
    """
    if name not in settings.bound_to and settings.provider:
        return False
    return settings.belongs(name, base_url)


def _from_variable(name: str, variables: Mapping[str, str]) -> Key:
    """Return the key in the variable `name`, which api_key_env names. Raises ConfigError."""
    value = variables.get(name)
    if not value:
        hint = f"export {name}, or change api_key_env"
        raise ConfigError(f"api_key_env names {name}, which is not set", hint=hint)
    return _checked(value, name)


def _configured(settings: Settings, base_url: str, environment: Environment) -> Iterator[Key]:
    if settings.api_key_command and _may_go("api_key_command", settings, base_url):
        yield _from_command(settings.api_key_command, environment, settings.deadline)
    if _keyring_wanted(settings, base_url):
        key = _from_keyring(settings.profile or "default", required=bool(settings.keyring))
        if key:
            yield key
    if settings.api_key_file and _may_go("api_key_file", settings, base_url):
        yield _from_file(path_of(environment, settings, "api_key_file"))


def _keyring_wanted(settings: Settings, base_url: str) -> bool:
    """Return whether the keyring may have the key for `base_url`.

    If the setting `keyring` is true or false, it decides, and only for the endpoint it was
    configured for. If it is not set, the keyring is searched unless base_url was given for this run
    only, names this machine, or an api_key_file is set.
    """
    if settings.keyring is not None:
        return settings.keyring and _may_go("keyring", settings, base_url)
    pointed_elsewhere = settings.source("base_url") in ("flag", "template", "LLMCLI_BASE_URL")
    unasked = settings.provider is not None and settings.profile != settings.provider
    return not (pointed_elsewhere or unasked or is_loopback(base_url) or settings.api_key_file)


def _from_command(command: list[str] | str, environment: Environment, deadline: float) -> Key:
    """Return the key that `command` prints as its first line.

    `deadline` is in seconds; 0 is none. Raises ConfigError if the command fails, TimedOut if it
    has not ended at the deadline.
    """
    from llmcli.system.processes import process  # noqa: PLC0415  # loads subprocess; only for a key command

    arguments = _arguments(command)
    # Its stdin is empty, because the stdin of llmcli is for the prompt.
    job = process.Program(
        arguments,
        environment.variables,
        timeout=deadline or float("inf"),
        most=_MOST_BYTES,
        bounded=True,
        tell=lambda line: environment.say(f"api_key_command: {line}"),
        attended=True,
    )
    with environment.waiting_for("api_key_command"):
        outcome = process.run_program(job)
    if outcome.too_late:
        raise deadline_reached(deadline, "api_key_command has not ended")
    if outcome.dropped:
        raise ConfigError(f"api_key_command printed more than {_MOST_BYTES} bytes: not a key")
    if outcome.reason:
        raise ConfigError(f"api_key_command: {outcome.reason}")
    if outcome.code:
        raise ConfigError(f"api_key_command failed with {process.describe_exit(outcome.code)}")
    lines = outcome.output.decode(errors="replace").splitlines()
    return _checked(lines[0] if lines else "", "api_key_command")


def _arguments(command: list[str] | str) -> list[str]:
    """Return the program and its arguments. Raises ConfigError if `command` names no program."""
    import shlex  # noqa: PLC0415  # loaded only for a key command

    try:
        arguments = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise ConfigError(f"api_key_command cannot be run: {error}") from None
    if not arguments:
        raise ConfigError("api_key_command must name a program")
    return arguments


def _from_file(path: Path) -> Key:
    """Return the key in the file at `path`.

    Raises ConfigError if the file cannot be read or if other users can read it.
    """
    try:
        # The mode of the pipe that a shell makes does not say who can read it.
        with path.open("rb") if is_open(path) else open_regular(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                problem = f"api_key_file {path} can be read by others"
                raise ConfigError(problem, hint=f"chmod 600 {path}")
            data = file.read(_MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read api_key_file {path}: {reason}") from None
    from llmcli.system.files import not_text  # noqa: PLC0415  # needed with a key file only

    if encoding := not_text.wide_encoding(data):
        hint = not_text.convert(encoding, str(path))
        raise ConfigError(f"api_key_file {path} is {encoding} text, not UTF-8", hint=hint)
    return _checked(data.decode(errors="replace"), f"api_key_file {path}")


def _from_keyring(name: str, *, required: bool) -> Key | None:
    """Return the key that the system keyring has for the user `name`; None if it has none.

    Where the keyring is `required`, raises ConfigError if it cannot be read or the library keyring
    is not installed; else both count as having no key.
    """
    from importlib.util import find_spec  # noqa: PLC0415  # loaded only for the keyring

    if find_spec("keyring") is None:
        if required:
            from llmcli.system.extras import how_to_install  # noqa: PLC0415  # only for a hint

            raise ConfigError("keyring = true, but the library keyring is not installed",
                              hint=how_to_install("keyring"))  # fmt: skip
        return None
    import keyring  # noqa: PLC0415  # an extra, and slow to load

    try:
        value = keyring.get_password(KEYRING_SERVICE, name)
    except LlmcliError:  # the deadline
        raise
    except Exception as error:  # noqa: BLE001  # each backend of keyring raises errors of its own
        if required:
            raise ConfigError(f"the keyring cannot be read: {error}") from None
        return None
    return _checked(value, f"keyring {KEYRING_SERVICE}/{name}") if value else None


def _checked(value: str, source: str) -> Key:
    """Return the key `value` without white space around it, which copying and `echo` add.

    A byte order mark in front, which editors on Windows add, goes as well.

    Raises ConfigError if nothing is left, or if a character is not visible ASCII: a header could
    not carry it, and a line end would begin another header. The message does not show the key.
    """
    value = value.removeprefix("\ufeff").strip()
    if not value:
        raise ConfigError(f"the key from {source} is empty")
    for position, character in enumerate(value):
        if not "!" <= character <= "~":
            place = f"at position {position + 1} of {len(value)}"
            raise ConfigError(
                f"the key from {source} contains character U+{ord(character):04X} {place}"
            )
    return Key(value, source)


def describe(environment: Environment, settings: Settings) -> tuple[str | None, str]:
    """Return the fingerprint and the source of the key, in words for `config show`.

    The fingerprint is None where the key is not known, because api_key_command is not run and the
    keyring is not opened for it.
    """
    base_url = settings.base_url or DEFAULT_BASE_URL
    if header := credential_header(settings, base_url):
        return None, f"the header {header}, in the place of a key"
    if name := variable(settings, environment.variables, base_url):
        return Key(environment.variables.get(name, "").strip(), name).fingerprint, name
    for name in ("api_key_env", "api_key_command", "api_key_file"):
        if getattr(settings, name) and not _may_go(name, settings, base_url):
            return None, f"{name} is not for this endpoint"
    if settings.api_key_command:
        return None, "api_key_command (not run by show)"
    if settings.api_key_file:
        path = path_of(environment, settings, "api_key_file")
        try:
            return _from_file(path).fingerprint, "api_key_file"
        except ConfigError as error:
            return None, str(error)
    return None, "keyring (not opened by show)" if settings.keyring else "none"


def shell_variable(environment: Environment, settings: Settings, base_url: str) -> str | None:
    """Return the variable that stands for the key of `base_url` in a command that is shown.

    It is the one that the key comes from, or LLMCLI_API_KEY if the key is in none. For a provider
    whose key is not known it is the provider's own. None means that no key is sent.
    """
    if credential_header(settings, base_url):
        return None
    if name := variable(settings, environment.variables, base_url):
        return name
    if any(getattr(settings, n) and _may_go(n, settings, base_url) for n in _WITHOUT_VARIABLE):
        return "LLMCLI_API_KEY"
    if provider := providers.of_url(base_url):
        return provider.variables[0]
    wanted, name = _keyring_wanted(settings, base_url), settings.profile or "default"
    return "LLMCLI_API_KEY" if wanted and _from_keyring(name, required=False) else None

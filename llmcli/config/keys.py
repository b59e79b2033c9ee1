"""Where the API key comes from, and where it may go. A key is never shown: see Key.fingerprint."""

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

from llmcli.config.settings import DEFAULT_BASE_URL, Settings
from llmcli.config.url import host_of, is_loopback, origin
from llmcli.errors import HOW_TO_INSTALL, ConfigError, deadline_reached
from llmcli.system.dataclass import dataclass, field
from llmcli.system.environment import Environment

KEYRING_SERVICE = "llmcli"
_MOST_PRINTED = 65536


@dataclass(frozen=True)
class Key:
    value: str = field(repr=False)
    source: str

    @property
    def fingerprint(self) -> str:
        """Enough to tell two keys apart, too little to use."""
        return f"…{self.value[-4:]}" if len(self.value) >= 20 else "…"


def find(environment: Environment, settings: Settings, base_url: str) -> Key | None:
    """The first key that may be sent to `base_url`. Raises ConfigError.

    LLMCLI_API_KEY goes wherever the user points. Every other key belongs to the endpoint it
    was configured beside, so that another base_url cannot carry it off.
    """
    for key in _candidates(environment, settings, base_url):
        environment.secrets.add(key.value)
        # A crash of the interpreter must not leave the key in a core file.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return key
    return None


def _candidates(environment: Environment, settings: Settings, base_url: str) -> Iterator[Key]:
    if value := environment.variables.get("LLMCLI_API_KEY"):
        yield _checked(value, "LLMCLI_API_KEY")
    value = environment.variables.get("CLINE_API_KEY")
    if value and _is_vendor(base_url):
        yield _checked(value, "CLINE_API_KEY")
    yield from _configured(settings, base_url, environment)


def _is_vendor(base_url: str) -> bool:
    return origin(base_url) == origin(DEFAULT_BASE_URL) or is_loopback(base_url)


def _configured(settings: Settings, base_url: str, environment: Environment) -> Iterator[Key]:
    if settings.api_key_command and settings.belongs("api_key_command", base_url):
        yield _from_command(settings.api_key_command, environment, settings.deadline)
    if _keyring_wanted(settings, base_url):
        key = _from_keyring(settings.profile or "default", required=bool(settings.keyring))
        if key:
            yield key
    if settings.api_key_file and settings.belongs("api_key_file", base_url):
        yield _from_file(_path(environment, settings))


def _keyring_wanted(settings: Settings, base_url: str) -> bool:
    """Asked for beside this endpoint; or not spoken of, and it is the endpoint of the config."""
    if settings.keyring is not None:
        return settings.keyring and settings.belongs("keyring", base_url)
    pointed_elsewhere = settings.source("base_url") in ("flag", "LLMCLI_BASE_URL")
    return not (pointed_elsewhere or is_loopback(base_url) or settings.api_key_file)


def _from_command(command: list[str] | str, environment: Environment, deadline: float) -> Key:
    import shlex

    from llmcli.system import process

    try:
        arguments = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise ConfigError(f"api_key_command cannot be run: {error}") from None
    if not arguments:
        raise ConfigError("api_key_command names no program")
    environment.stage = awaited = "api_key_command has not ended"
    # Its stdin is empty, as ours is the prompt's.
    job = process.Program(
        arguments,
        environment.variables,
        timeout=deadline or float("inf"),
        most=_MOST_PRINTED,
        bounded=True,
        tell=lambda line: environment.say(f"api_key_command: {line}"),
        attended=True,
    )
    outcome = process.run_program(job)
    if outcome.too_late:
        raise deadline_reached(deadline, awaited)
    if outcome.dropped:
        raise ConfigError(f"api_key_command printed more than {_MOST_PRINTED} bytes: not a key")
    if outcome.reason:
        raise ConfigError(f"api_key_command: {outcome.reason}")
    if outcome.code:
        raise ConfigError(f"api_key_command failed with {process.describe_exit(outcome.code)}")
    lines = outcome.output.decode(errors="replace").splitlines()
    return _checked(lines[0] if lines else "", "api_key_command")


def _path(environment: Environment, settings: Settings) -> Path:
    """`~/` is the home; a relative path of config.toml begins in its own directory."""
    name = settings.api_key_file or ""
    if name.startswith("~/"):
        return environment.home / name[2:]
    return (
        environment.config_file.parent / name if "api_key_file" in settings.beside else Path(name)
    )


def _from_file(path: Path) -> Key:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                raise ConfigError(f"{path} can be read by others", hint=f"chmod 600 {path}")
            return _checked(file.read(65536).decode(errors="replace"), f"api_key_file {path}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read api_key_file {path}: {reason}") from None


def _from_keyring(name: str, required: bool) -> Key | None:
    from importlib.util import find_spec

    if find_spec("keyring") is None:
        if required:
            raise ConfigError("keyring = true, but keyring is not installed",
                              hint=HOW_TO_INSTALL.format("keyring"))  # fmt: skip
        return None
    import keyring

    try:
        value = keyring.get_password(KEYRING_SERVICE, name)
    except Exception as error:  # each backend raises its own
        if required:
            raise ConfigError(f"the keyring cannot be read: {error}") from None
        return None
    return _checked(value, f"keyring {KEYRING_SERVICE}/{name}") if value else None


def _checked(value: str, source: str) -> Key:
    """White space around a key is a copying accident; inside it would split a header."""
    value = value.strip()
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
    """Fingerprint and source for `config show`, which runs no program and opens no keyring."""
    base_url = settings.base_url or DEFAULT_BASE_URL
    for name in ("LLMCLI_API_KEY", "CLINE_API_KEY"):
        value = environment.variables.get(name)
        if value and (name == "LLMCLI_API_KEY" or _is_vendor(base_url)):
            return Key(value.strip(), name).fingerprint, name
    for name in ("api_key_command", "api_key_file"):
        if getattr(settings, name) and not settings.belongs(name, base_url):
            return None, f"{name} is not for this endpoint"
    if settings.api_key_command:
        return None, "api_key_command (not run by show)"
    if settings.api_key_file:
        try:
            return _from_file(_path(environment, settings)).fingerprint, "api_key_file"
        except ConfigError as error:
            return None, str(error)
    return None, "keyring, if it holds one" if settings.keyring else "none"


def missing(base_url: str) -> ConfigError:
    """The endpoint wants a key and there is none."""
    return ConfigError(
        f"no API key for {host_of(base_url)}",
        hint="set LLMCLI_API_KEY, or api_key_file or api_key_command in config.toml "
        "(`llmcli config path`)",
    )

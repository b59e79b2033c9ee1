"""Paths that settings name."""

from pathlib import Path

from llmcli.config.settings import Settings
from llmcli.system.environment import Environment


def path_of(environment: Environment, settings: Settings, name: str) -> Path:
    """Return the path that the setting `name` holds, where `~/` stands for the home directory.

    A relative path begins in the directory of config.toml if it stands there, in the working
    directory if a variable gave it.
    """
    value = getattr(settings, name) or ""
    if value.startswith("~/"):
        return environment.home / value[2:]
    of_config = name in settings.bound_to
    return environment.config_file.parent / value if of_config else Path(value)

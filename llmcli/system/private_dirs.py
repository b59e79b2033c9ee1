"""Directories that hold what nobody else may read."""

import os
import stat
from pathlib import Path

from llmcli.errors import ConfigError


def check_private(folder: Path) -> None:
    """Raises ConfigError where others could plant or read what is in it."""
    try:
        found, link, above = folder.stat(), folder.lstat(), folder.parent.stat()
    except OSError:
        return  # not there yet
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"{folder} is no directory", hint="remove it, or set XDG_STATE_HOME")
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{folder} belongs to someone else", hint="set XDG_STATE_HOME")
    if stat.S_ISLNK(link.st_mode) and above.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{folder} is a link in a directory that all can write")
    if found.st_mode & 0o077:
        raise ConfigError(f"{folder} is open to others", hint=f"chmod 700 {folder}")


def make_private(folder: Path) -> None:
    """`folder`, and what is missing above it, with 0700 as the XDG specification has it.

    Raises OSError."""
    for place in [*reversed(folder.parents), folder]:
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)

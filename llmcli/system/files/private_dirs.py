"""Directories that nobody but the user may read or write."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from llmcli.errors import ConfigError

# What keeps a path from leading to a folder, for every use of it.
_NO_WAY = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)


def check_private(folder: Path) -> None:
    """Raise ConfigError if other users could read the files in `folder` or plant files there.

    `folder` is the state directory. One that does not exist, or that the path does not lead to,
    passes: whoever opens a file in it fails in the same way. If the system does not say who may use
    it for any other reason, it is not used.
    """
    try:
        status, link, parent = folder.stat(), folder.lstat(), folder.parent.stat()
    except OSError as error:
        if error.errno in _NO_WAY:
            return
        raise ConfigError(f"cannot look at {folder}: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"{folder} is not a directory", hint="remove it, or set XDG_STATE_HOME")
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{folder} belongs to someone else", hint="set XDG_STATE_HOME")
    # Whoever can write the parent can point the link elsewhere between two of our runs.
    if stat.S_ISLNK(link.st_mode) and parent.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"{folder} is a link in a directory that all can write",
            hint="put a directory in its place, or set XDG_STATE_HOME",
        )
    if status.st_mode & 0o077:
        raise ConfigError(f"{folder} is open to others", hint=f"chmod 700 {folder}")


def make_private(folder: Path) -> None:
    """Create `folder` and its missing parents with mode 0700. Raise OSError if that fails.

    The mode is the one that the XDG Base Directory Specification requires. What is created is on
    disk when the function returns, lest a loss of power takes the files in it.
    """
    # mkdir(parents=True) would create the parents with the mode of the umask.
    for directory in [*reversed(folder.parents), folder]:
        if not directory.exists():
            from llmcli.system.files import durable  # noqa: PLC0415  # for the first run only

            directory.mkdir(mode=0o700, exist_ok=True)
            with suppress(OSError):
                durable.sync_folder(directory.parent)

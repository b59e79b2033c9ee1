"""Writing that outlives a loss of power: what was written to a file, and the names of a folder."""

import errno
import os
from pathlib import Path

# What file systems say that have nothing to do here, such as some that are mounted over a network.
_NOTHING_TO_DO = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def sync_file(descriptor: int) -> None:
    """Return when all that was written to `descriptor` is on disk. Raise OSError if that fails."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOTHING_TO_DO:
            raise


def sync_folder(folder: Path) -> None:
    """Return when the names in `folder` are on disk. Raise OSError if that fails.

    A folder that may be written but not read cannot be synced, and is left as it is.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        sync_file(descriptor)
    finally:
        os.close(descriptor)

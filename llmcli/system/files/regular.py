"""Files of llmcli's own, which are regular: a pipe or a device of that name could be waited for."""

import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(mode: int) -> None:
    """Raise OSError unless `mode` is that of a regular file; its reason says what it is."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(0, f"it is {kind}, not a regular file")


def is_open(path: Path | str) -> bool:
    """Return whether `path` stands for a descriptor that is open, as a shell makes of `<(pass)`."""
    return re.fullmatch(r"/(dev|proc/self)/fd/\d+", str(path)) is not None


def check_regular_at(path: str) -> None:
    """Raise OSError unless `path` is a regular file or an open descriptor.

    It is for files that a library opens, which would wait at a FIFO where no signal ends the wait.
    """
    if not is_open(path):
        check_regular(os.stat(path).st_mode)


def open_regular(path: Path) -> BinaryIO:
    """Return the regular file at `path`, open for reading. Raise OSError if it is anything else."""
    # Without O_NONBLOCK a FIFO would be waited for here, until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path) -> bytes:
    """Return the content of the regular file at `path`. Raise OSError as `open_regular` does."""
    with open_regular(path) as file:
        return file.read()

"""File locks by flock(2): one holder at a time among all processes of this machine."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds between two tries. Trying again and again, instead of waiting within flock(2), is what
# allows the wait to have an end.
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.02


def _do_nothing() -> None:
    pass


def lock(
    descriptor: int, patience: float = float("inf"), waiting: Callable[[], None] = _do_nothing
) -> None:
    """Take the lock on an open file, and wait up to `patience` seconds for another holder.

    `waiting` is called after each try in vain. Raise TimeoutError if another process
    still holds the lock in the end (it may be a stopped process), OSError for a file that cannot
    be locked, such as a pipe.
    """
    until = time.monotonic() + patience
    pause = _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError(0, "another process holds it") from None
        waiting()
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def unlock(descriptor: int) -> None:
    """Give up the lock on an open file; where the system refuses that, it ends with the file."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def lock_file(
    path: Path, patience: float = float("inf"), waiting: Callable[[], None] = _do_nothing
) -> Iterator[None]:
    """Hold the lock on the file at `path`, which is created if it is missing.

    Only its owner can read the file. It stays when the lock is given up: removing it would let two
    processes hold locks on two files of the same name. Raise OSError and TimeoutError as `lock`
    does.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock(descriptor, patience, waiting)
        yield
    finally:
        os.close(descriptor)  # which gives up the lock, too


def is_still_at(opened: os.stat_result, path: Path | str) -> bool:
    """Return whether the file of which `opened` is the status is still the one at `path`.

    It is not if another process has removed or replaced it, perhaps while its lock was waited for.
    """
    try:
        return os.path.samestat(opened, os.stat(path))
    except FileNotFoundError:
        return False

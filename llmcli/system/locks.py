"""Locks on files (flock): one holder at a time, among all processes of this machine."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds between two tries: a wait in the system could not be bounded.
_PAUSE = 0.005
_LONGEST_PAUSE = 0.02


def _nothing() -> None:
    pass


def lock(
    descriptor: int, patience: float = float("inf"), waiting: Callable[[], None] = _nothing
) -> None:
    """Lock an open file; a signal ends the wait. `waiting` is called once if another has it.

    Raises TimeoutError where another process holds the lock for `patience` seconds: it may be
    stopped. Raises OSError for what cannot be locked, such as a pipe.
    """
    until = time.monotonic() + patience
    pause = _PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError(0, "another process holds it") from None
        if pause == _PAUSE:
            waiting()
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def unlock(descriptor: int) -> None:
    """Give up the lock on an open file."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def lock_file(
    path: Path, patience: float = float("inf"), waiting: Callable[[], None] = _nothing
) -> Iterator[None]:
    """Hold the lock of the file at `path`, which is made, readable by its owner only, and stays.

    Raises OSError and TimeoutError as `lock` does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock(descriptor, patience, waiting)
        yield
    finally:
        os.close(descriptor)

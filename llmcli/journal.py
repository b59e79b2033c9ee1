"""Files of one JSON object a line, appended to by many processes and killed at any moment.

A record goes in as one write under a lock, so parallel writers neither lose nor mix lines. What a
killed or failed writer left of a line is taken away by the next.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BLOCK = 65536
_LOCK_PAUSE = 0.02
# How our records begin.
_HEADS = (b'{"version": ', b'{"version":', b'{"id": "')
Record = dict[str, Any]


def append(path: Path, line: bytes, patience: float = float("inf")) -> None:
    """Add `line`, which ends in a newline, whole or not at all; the file is created with 0600.

    Raises OSError; TimeoutError where another process holds the file for `patience` seconds.
    """
    with _locked(path, patience) as descriptor:
        end = _whole_length(descriptor)
        if end < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, end)
        elif end and os.pread(descriptor, 1, end - 1) != b"\n":
            line = b"\n" + line  # a last line that only lacks its end
        try:
            rest = memoryview(line)
            while rest:  # again only where a disk is full, to be told why
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            os.ftruncate(descriptor, end)
            raise


@contextmanager
def _locked(path: Path, patience: float) -> Iterator[int]:
    """A descriptor of the file that stands at `path` once the lock is held."""
    until = time.monotonic() + patience
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            _lock(descriptor, until)
            if _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, until: float) -> None:
    """A signal ends the wait, and so does `until`: a stopped process may hold the lock."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds it") from None
            time.sleep(_LOCK_PAUSE)


def _is_at(descriptor: int, path: Path) -> bool:
    """Not removed or replaced while we waited."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _whole_length(descriptor: int) -> int:
    """The size without a torn last line."""
    size = os.fstat(descriptor).st_size
    blocks: list[bytes] = []
    start = size
    while start and not (blocks and b"\n" in blocks[-1]):
        begin = max(0, start - _BLOCK)
        blocks.append(os.pread(descriptor, start - begin, begin))
        start = begin
    last = b"".join(reversed(blocks)).rpartition(b"\n")[2]
    return size - len(last) if _torn(last) else size


def _torn(line: bytes) -> bool:
    """Whether it is the beginning of a record of ours, and not all of it. What else stands there
    without a line end is somebody's, and stays."""
    ours = any(line.startswith(head[: len(line)]) for head in _HEADS)
    return bool(line) and ours and _parse(line) is None


def _parse(line: bytes) -> Record | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read(path: Path) -> Iterator[tuple[int, Record | None]]:
    """Number and record of each line; None for one that is no record. A torn last line is left out.

    Raises OSError.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            record = _parse(line)
            if record is not None or (line.strip() and (line.endswith(b"\n") or not _torn(line))):
                yield number, record

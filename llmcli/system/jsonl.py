"""Files of one JSON object a line, appended to by many processes and killed at any moment.

A record goes in as one write under a lock, so parallel writers neither lose nor mix lines. What a
killed or failed writer left of a line is taken away by the next.
"""

import errno
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llmcli.system.locks import lock, unlock

_BLOCK = 65536
# Seconds for which one lock serves, where more comes to be written.
_HOLD = 0.02
# How our records begin.
_HEADS = (b'{"version": ', b'{"version":', b'{"id": "')
Record = dict[str, Any]


def _leave_missing(_folder: Path) -> None:
    pass


class _Line:
    """Waits to be written."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._error: OSError | None = None
        self._open = threading.Lock()
        self._open.acquire()

    def end(self, error: OSError | None) -> None:
        self._error = error
        self._open.release()

    def wait(self) -> None:
        """Raises OSError."""
        self._open.acquire()
        if self._error is not None:
            raise self._error


def _end_all(lines: list[_Line], error: OSError | None) -> None:
    for one in lines:
        one.end(error)


class Journal:
    """A file that is appended to again and again, by any number of threads and processes. `make`
    makes its folder, should that be missing; `failed` is why something could not be written."""

    def __init__(self, path: Path, make: Callable[[Path], None] = _leave_missing) -> None:
        self.path = path
        self.failed: OSError | None = None
        self._make = make
        self._descriptor: int | None = None
        self._opened_as: Any = None
        self._end = 0  # as our last line left it
        self._alone = threading.Lock()
        self._lines: deque[_Line] = deque()

    def append(self, text: bytes, patience: float = float("inf")) -> None:
        """Add `text`, which ends in a newline, whole or not at all; the file is made with 0600.

        Raises OSError; TimeoutError where another process holds the file for `patience` seconds."""
        line = self.later(text)
        self.flush(patience)
        line.wait()

    def later(self, text: bytes) -> "_Line":
        """As `append`, but it is written with the next one, or by `flush`."""
        line = _Line(text)
        self._lines.append(line)
        return line

    def flush(self, patience: float = float("inf")) -> None:
        """Whoever can writes the lines of all, so that threads do not queue for each of theirs."""
        while self._lines and self._alone.acquire(blocking=False):
            try:
                self._write(time.monotonic() + patience)
            finally:
                self._alone.release()

    def finish(self, patience: float) -> None:
        """As `flush`, but another thread that is at it is waited for."""
        while True:
            with self._alone:
                if self._lines:
                    self._write(time.monotonic() + patience)
            if not self._lines:
                return

    def _write(self, until: float) -> None:
        lines = self._waiting()
        error = OSError(errno.EINTR, os.strerror(errno.EINTR))  # until it is known
        try:
            descriptor, size = self._locked(until)
            held = time.monotonic()
            try:
                while lines:
                    self._end = self._append(descriptor, size, b"".join(one.text for one in lines))
                    size = self._end
                    written, lines = lines, []
                    _end_all(written, None)
                    # What has come in the meantime needs no lock of its own.
                    lines = self._waiting() if time.monotonic() - held < _HOLD else []
            finally:
                unlock(descriptor)
        except OSError as raised:
            self.failed = error = raised
        finally:
            _end_all(lines, error)

    def _waiting(self) -> list[_Line]:
        lines: list[_Line] = []
        while self._lines:
            lines.append(self._lines.popleft())
        return lines

    def _append(self, descriptor: int, size: int, line: bytes) -> int:
        """The end of the file after `line`."""
        end = size
        if size and size != self._end and os.pread(descriptor, 1, size - 1) != b"\n":
            end = _whole_length(descriptor, size)
            if end < size:
                os.ftruncate(descriptor, end)
            elif end:
                line = b"\n" + line  # a last line that only lacks its end
        write_whole(descriptor, line, end)
        return end + len(line)

    def _locked(self, until: float) -> tuple[int, int]:
        """The descriptor of the file that stands at `path` once it is locked, and its size."""
        while True:
            if self._descriptor is None:
                self._descriptor = self._opened()
                self._opened_as, self._end = os.fstat(self._descriptor), 0
            descriptor = self._descriptor
            lock(descriptor, until - time.monotonic())
            found = _stat(self.path)
            if found and os.path.samestat(found, self._opened_as):
                return descriptor, found.st_size
            self.close()

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:  # the first time, or somebody took it away
            self._make(self.path.parent)
            return os.open(self.path, flags, 0o600)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_whole(descriptor: int, line: bytes, end: int) -> None:
    """Append `line` to a file that ends at `end`, or nothing. Raises OSError."""
    try:
        rest = memoryview(line)
        while rest:  # again only where a disk is full, to be told why
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def append_line(path: Path, line: bytes, patience: float = float("inf")) -> None:
    """As `Journal.append`, for a single line."""
    journal = Journal(path)
    try:
        journal.append(line, patience)
    finally:
        journal.close()


def is_at(found: os.stat_result, path: Path | str) -> bool:
    """Not removed or replaced while we waited."""
    now = _stat(path)
    return now is not None and os.path.samestat(found, now)


def _stat(path: Path | str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _whole_length(descriptor: int, size: int) -> int:
    """The size without a torn last line."""
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
    return bool(line) and ours and parse_record(line) is None


def parse_record(line: bytes) -> Record | None:
    """None for what is no JSON object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_records(path: Path) -> Iterator[tuple[int, Record | None]]:
    """Number and record of each line; None for one that is no record. A torn last line is left out.

    Raises OSError.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            record = parse_record(line)
            if record is not None or (line.strip() and (line.endswith(b"\n") or not _torn(line))):
                yield number, record

"""A file of results with one JSON object on each line, to which one process at a time appends.

Each line is one write. If a process is killed within it, the next process removes the torn line.
"""

import errno
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator

from llmcli.batch.results.entry import LONGEST_HEAD, NOTE, Entry, entry, is_result
from llmcli.errors import CantCreate, NoInput, TryLater, WriteError
from llmcli.system.files import durable, jsonl
from llmcli.system.files.locks import is_still_at, lock

# Bytes that are read at once.
_BLOCK = 1 << 18
# The layout of `struct flock`, as the `struct` module describes it. Linux: type, whence, start,
# length, pid, padding. macOS: start, length, pid, type, whence.
_FLOCK = "hhqqi4x" if os.uname().sysname == "Linux" else "qqihh"


class ResultFile:
    """An open, locked file of results; it is created if it does not exist.

    Raises CantCreate where it cannot be opened or locked, TryLater while another process holds it.
    The file stays open and locked until the process ends.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o666)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CantCreate(f"cannot create {path}: {reason}") from None
        self._lock()
        self._size = os.fstat(self._descriptor).st_size

    def _lock(self) -> None:
        """Lock the file twice, once to keep others out and once to tell them who does."""
        try:
            # flock belongs to the descriptor, and is the lock that keeps others out. A lock of
            # fcntl is lost as soon as the process closes any descriptor of the file, but only of
            # this one can others ask who holds it.
            lock(self._descriptor, patience=0)
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, TimeoutError) or error.errno in (errno.EACCES, errno.EAGAIN):
                holder = _holder(self._descriptor)
                raise TryLater(f"{self.path} is being written by {holder}") from None
            raise CantCreate(f"cannot lock {self.path}: {error.strerror}") from None

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self._size

    def is_in_place(self) -> bool:
        """Return True unless somebody has removed or replaced the file since it was opened."""
        return is_still_at(os.fstat(self._descriptor), self.path)

    def clear(self) -> None:
        """Remove all lines. Raises WriteError."""
        self._cut(0)

    def check(self) -> None:
        """Raise CantCreate if the file begins with something else than a result of map."""
        if self._size and not is_result(self._read(LONGEST_HEAD, 0)):
            raise CantCreate(f"{self.path} is not a file of results; it would be overwritten")

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each line, and mend the end of the file.

        A torn last line is cut off, and a last line that only lacks its newline gets it. Raises
        CantCreate for a line that is not a result of map.
        """
        offset = 0
        for number, text in enumerate(self._lines(), 1):
            if text.startswith(NOTE) and text.rstrip().endswith(b"}"):
                offset += len(text)
                continue
            found = entry(offset, text)
            if found is None and text.strip():
                # A killed process leaves the beginning of a line; a loss of power can leave zeros.
                if not text.endswith(b"\n") and (is_result(text) or not text.strip(b"\0")):
                    self._cut(offset)
                    return
                hint = "name another file, or do without --resume"
                raise CantCreate(f"{self.path}: line {number} is not a result of map", hint=hint)
            if found is not None:
                yield found
            offset += len(text)
        if self._size and self._read(1, self._size - 1) != b"\n":
            self.append(b"\n")

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines of the whole file. Raises NoInput where they cannot be read."""
        try:
            with open(self._descriptor, "rb", buffering=_BLOCK, closefd=False) as file:
                file.seek(0)
                yield from file
        except OSError as error:
            raise self._not_read(error) from None

    def line_at(self, offset: int) -> bytes:
        """Return the line that begins at `offset`, with its newline."""
        line = b""
        while b"\n" not in line:
            # Each read is twice as long as the last, so that a long line takes few of them.
            block = self._read(4096 + len(line), offset + len(line))
            if not block:
                break
            line += block
        return line[: line.find(b"\n") + 1]

    def _read(self, size: int, offset: int) -> bytes:
        """Return up to `size` bytes from `offset` on. Raises NoInput where they cannot be read."""
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise self._not_read(error) from None

    def _not_read(self, error: OSError) -> NoInput:
        return NoInput(f"cannot read {self.path}: {error.strerror}")

    def _cut(self, size: int) -> None:
        """Cut the file to `size` bytes. Raises WriteError."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise self._not_written(error) from None
        self._size = size

    def sync(self) -> None:
        """Return when all lines are on disk. Raises WriteError."""
        try:
            durable.sync_file(self._descriptor)
        except OSError as error:
            raise self._not_written(error) from None

    def _not_written(self, error: OSError) -> WriteError:
        return WriteError(f"{self.path}: write error: {error.strerror}")

    def append(self, line: bytes) -> int:
        """Append the line and return the offset at which it begins.

        Raises WriteError where it cannot be written; then nothing of it is left in the file.
        """
        begin = self._size
        try:
            jsonl.write_whole(self._descriptor, line, begin)
        except OSError as error:
            raise self._not_written(error) from None
        self._size += len(line)
        return begin


def holds_lines(path: str) -> bool:
    """Return True if the file at `path` can be read and begins with a line of results."""
    try:
        with open(path, "rb") as file:
            head = file.read(LONGEST_HEAD)
    except OSError:
        return False
    return len(head) == LONGEST_HEAD and is_result(head)


def number_of_lines(path: str) -> int:
    """Return the number of line ends in the file at `path`; 0 if it cannot be read."""
    count = 0
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                count += block.count(b"\n")
    except OSError:
        pass
    return count


def _holder(descriptor: int) -> str:
    """Return words for the process that holds the lock: its id, and when it was started."""
    try:
        pid = _pid_of_lock(descriptor)
        started = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=True
        )
        return f"process {pid}, started {' '.join(started.stdout.split())}"
    except (OSError, subprocess.SubprocessError):
        return "another process"


def _pid_of_lock(descriptor: int) -> int:
    """Return the id of the process that holds the fcntl lock of the file."""
    linux = _FLOCK.startswith("h")
    wanted = (fcntl.F_WRLCK, 0, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, 0)
    # F_GETLK replaces the lock that is wanted by the one that stands in its way.
    held = struct.unpack(
        _FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, *wanted))
    )
    return int(held[4] if linux else held[2])

"""Files of one JSON object a line that many processes append to, each of which may be killed.

A line is appended by one write under a lock, so that parallel writers neither lose nor mix lines.
If a writer was killed, or its write failed, in the middle of a line, the next writer removes the
part that was written.
"""

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmcli.system.files.locks import is_still_at, lock, unlock
from llmcli.system.files.regular import check_regular

# Seconds for which one lock serves while other threads bring more lines. Longer, and the other
# processes would wait too long.
_LONGEST_HOLD = 0.02


def _leave_missing(_folder: Path) -> None:
    pass


def _go_on() -> None:
    pass


class _Line:
    """A line that waits to be written, and the result of its write."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._error: OSError | None = None
        # A lock is the cheapest way to wait for one event: it is released when the write is over.
        self._pending = threading.Lock()
        self._pending.acquire()

    def end(self, error: OSError | None) -> None:
        """Note that the line was written, or why it could not be, and wake up `wait`."""
        self._error = error
        self._pending.release()

    def wait(self) -> None:
        """Wait until the line is written. Raise OSError if it could not be."""
        self._pending.acquire()
        if self._error is not None:
            raise self._error


def _end_all(lines: list[_Line], error: OSError | None) -> None:
    for line in lines:
        line.end(error)


class Journal:
    """A file that any number of threads and processes append lines to, again and again.

    `make_folder` creates the folder of the file, and is called if the folder is missing. `failed`
    is the error of the last write that failed. The file stays open between two lines.
    """

    def __init__(self, path: Path, make_folder: Callable[[Path], None] = _leave_missing) -> None:
        self.path = path
        self.failed: OSError | None = None
        # Called now and then while another process holds the lock.
        self.waiting: Callable[[], None] = _go_on
        # Called when zeros were removed that a loss of power has left at the end of the file.
        self.mended: Callable[[], None] = _go_on
        self._make_folder = make_folder
        self._descriptor: int | None = None
        self._opened_as: Any = None
        self._created = False  # whether the file is there because of us
        self._end = 0  # the size of the file after our own last line
        # Held by the one thread that writes, for itself and for all others.
        self._writing = threading.Lock()
        self._lines: deque[_Line] = deque()

    def append(self, text: bytes, patience: float = float("inf")) -> None:
        """Append `text`, which ends in a newline: all of it, or nothing if that fails.

        A file that is missing is created with mode 0600. Raise OSError; TimeoutError if another
        process holds the lock for `patience` seconds.
        """
        line = self.append_later(text)
        self.flush(patience)
        line.wait()

    def append_later(self, text: bytes) -> "_Line":
        """Queue `text`, to be written together with the next `append` or by `flush`.

        The line that is returned can be waited for.
        """
        line = _Line(text)
        self._lines.append(line)
        return line

    def flush(self, patience: float = float("inf")) -> None:
        """Write the lines that are queued, unless another thread is writing them already.

        One thread writes the lines of all threads, so that they do not each wait for the lock.
        `patience` is the number of seconds to wait for another process.
        """
        while self._lines and self._writing.acquire(blocking=False):
            try:
                self._write(time.monotonic() + patience)
            finally:
                self._writing.release()

    def finish(self, patience: float) -> None:
        """Write the lines that are queued, and wait for another thread that is writing some.

        `patience` is the number of seconds to wait for another process.
        """
        while True:
            with self._writing:
                if self._lines:
                    self._write(time.monotonic() + patience)
            if not self._lines:
                return

    def _write(self, until: float) -> None:
        lines = self._take_queued()
        # What the lines are told if a signal breaks off this function, and no OSError does.
        error = OSError(errno.EINTR, os.strerror(errno.EINTR))
        try:
            descriptor, size = self._open_locked(until)
            locked_at = time.monotonic()
            try:
                while lines:
                    text = b"".join(line.text for line in lines)
                    self._end = size = self._append(descriptor, size, text)
                    written, lines = lines, []
                    _end_all(written, None)
                    # Lines that were queued in the meantime are written under the same lock.
                    in_time = time.monotonic() - locked_at < _LONGEST_HOLD
                    lines = self._take_queued() if in_time else []
            except OSError:
                self._remove_if_new(descriptor)
                raise
            finally:
                unlock(descriptor)
        except OSError as raised:
            self.failed = error = raised
        finally:
            _end_all(lines, error)

    def _take_queued(self) -> list[_Line]:
        lines: list[_Line] = []
        while self._lines:
            lines.append(self._lines.popleft())
        return lines

    def _append(self, descriptor: int, size: int, text: bytes) -> int:
        """Append `text` to a file of `size` bytes, and return the size of the file after that."""
        end = size
        # A file that has grown since our last line may end in a part of somebody else's.
        if size and size != self._end and os.pread(descriptor, 1, size - 1) != b"\n":
            from llmcli.system.files.records import sound_end  # noqa: PLC0415  # for a damaged file

            sound = sound_end(descriptor, size)
            end = sound.size
            if end < size:
                os.ftruncate(descriptor, end)
            if sound.lacks_newline:
                text = b"\n" + text
            if sound.had_zeros:
                self.mended()
        write_whole(descriptor, text, end)
        return end + len(text)

    def _open_locked(self, until: float) -> tuple[int, int]:
        """Return the locked descriptor of the file at `path`, and the size of the file.

        Another process may have removed or replaced the file since it was opened; it is then
        opened again, as a line in the old file would be lost.
        """
        while True:
            if self._descriptor is None:
                self._descriptor = self._open()
                self._opened_as, self._end = os.fstat(self._descriptor), 0
                check_regular(self._opened_as.st_mode)
            descriptor = self._descriptor
            lock(descriptor, until - time.monotonic(), self.waiting)
            if is_still_at(self._opened_as, self.path):
                return descriptor, os.fstat(descriptor).st_size
            self.close()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        with suppress(FileNotFoundError):
            return os.open(self.path, flags)
        # Created by one process only, which removes it if it cannot write a line to it.
        with suppress(FileExistsError):
            descriptor = self._create(flags | os.O_CREAT | os.O_EXCL)
            self._created = True
            return descriptor
        # Another process has just created it, or it is a link to what does not exist yet.
        return os.open(self.path, flags | os.O_CREAT, 0o600)

    def _create(self, flags: int) -> int:
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:  # the folder was never made, or somebody has removed it
            self._make_folder(self.path.parent)
            return os.open(self.path, flags, 0o600)

    def _remove_if_new(self, descriptor: int) -> None:
        """Remove the file if we have created it and could not write to it: a full disk allows both.

        The caller holds the lock, so that no other process has a line in it.
        """
        with suppress(OSError):
            status = os.fstat(descriptor)
            if self._created and not status.st_size and is_still_at(status, self.path):
                os.unlink(self.path)

    def sync(self) -> None:
        """Return when what was appended is on disk; raise OSError if that fails."""
        from llmcli.system.files import durable  # noqa: PLC0415  # the ledger does without it

        if self._descriptor is not None:
            durable.sync_file(self._descriptor)
            if self._created:
                durable.sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the file, which gives up its lock. The next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_whole(descriptor: int, line: bytes, end: int) -> None:
    """Append `line` to a file of `end` bytes; if that fails, cut the file back to `end` bytes.

    Raise OSError if it fails.
    """
    try:
        rest = memoryview(line)
        while rest:  # a full disk takes a part of the line, and the second write says why
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def append_line(
    path: Path,
    line: bytes,
    patience: float = float("inf"),
    waiting: Callable[[], None] = _go_on,
) -> None:
    """Append a single `line` to the file at `path`, by the rules of `Journal.append`.

    It is on disk when the function returns, so that a loss of power does not take it. `waiting` is
    called now and then while another process holds the lock.
    """
    journal = Journal(path)
    journal.waiting = waiting
    try:
        journal.append(line, patience)
        journal.sync()
    finally:
        journal.close()

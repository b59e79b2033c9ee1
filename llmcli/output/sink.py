"""Where the answer is written: stdout, a device, or a file that is replaced only on success."""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from llmcli.errors import CantCreate, WriteError
from llmcli.system.environment import Environment
from llmcli.system.files.atomic_file import AtomicFile
from llmcli.system.stdio import STDOUT, write_all

# Bytes that are written at once where there are more.
_BLOCK = 1 << 18


class Sink(Protocol):
    """A place that an answer is written to.

    `place` names it for messages. `retractable` says whether `clear` can take back what was
    written, `terminal` whether a person reads it on a terminal.
    """

    place: str
    retractable: bool
    terminal: bool

    def clear(self) -> None:
        """Take back what was written since the last `keep`, if the sink is retractable."""

    def keep(self) -> None:
        """Protect what was written so far from `clear`."""

    def write(self, data: bytes) -> None:
        """Write all of `data`; raise WriteError, or ReaderGone if the reader has closed a pipe."""

    def commit(self) -> None:
        """Make what was written stay, since the answer is whole; raise WriteError."""

    def abort(self, *, keep: bool) -> str | None:
        """End an answer that is not whole, and discard it unless `keep` is true.

        Return the path of the file that holds what was written; None if nothing was written, if it
        was discarded, or if it went to stdout or a device.
        """


class StdoutSink:
    """The sink that is stdout, where nothing can be taken back."""

    place = "stdout"
    retractable = False

    def __init__(self) -> None:
        self.terminal = os.isatty(STDOUT)

    def clear(self) -> None:
        """Do nothing."""

    def keep(self) -> None:
        """Do nothing."""

    def write(self, data: bytes) -> None:
        """Write all of `data` to stdout; raise WriteError or ReaderGone."""
        write_all(STDOUT, data)

    def commit(self) -> None:
        """Do nothing, since every write has gone out already."""

    def abort(self, *, keep: bool) -> str | None:
        """Return None, since what was written is not in a file of its own."""
        return None


class FileSink:
    """The sink that is a file, which is written beside its target and renamed on `commit`.

    Raise CantCreate at once if the target cannot be replaced, so that nothing is paid in vain.
    """

    retractable = True
    terminal = False

    def __init__(self, name: str) -> None:
        self._name = self.place = name
        self._written = self._keep = 0  # bytes: the size of the file, and what `clear` leaves
        try:
            # The target of a symbolic link is replaced, and the link stays.
            self._target = Path(os.path.realpath(name))
            old = self._target.stat() if self._target.exists() else None
            if old and stat.S_ISDIR(old.st_mode):
                raise IsADirectoryError(0, "is a directory")
            # The rename would succeed even on a file that its owner has made read-only.
            if old and not os.access(self._target, os.W_OK):
                raise PermissionError(0, "Permission denied")
            self._file = AtomicFile(self._target, ".llmcli-", ".part")
            self._descriptor = self._file.descriptor
            self._inherit(old)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CantCreate(f"cannot create {name}: {reason}") from None
        self._kept = f"{self._target}.part"

    def _inherit(self, old: os.stat_result | None) -> None:
        """Give the new file the mode and, where the system lets us, the owner of the old one."""
        mode = stat.S_IMODE(old.st_mode) if old else 0o666 & ~_umask()
        if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            try:
                os.fchown(self._descriptor, old.st_uid, old.st_gid)
            except OSError:
                pass  # only root may give a file away; that must not cost the answer
        # After the owner, since a change of owner clears the set-user-ID bits (chown(2)).
        os.fchmod(self._descriptor, mode)

    def clear(self) -> None:
        """Cut the file to its size at the last `keep`."""
        os.ftruncate(self._descriptor, self._keep)
        os.lseek(self._descriptor, self._keep, os.SEEK_SET)
        self._written = self._keep

    def keep(self) -> None:
        """Let `clear` leave what was written so far."""
        self._keep = self._written

    def write(self, data: bytes) -> None:
        """Write all of `data`; raise WriteError, naming the file."""
        try:
            write_all(self._descriptor, data)
        except WriteError as error:
            self._written = os.fstat(self._descriptor).st_size  # a part of `data` may be in it
            raise WriteError(f"{self._name}: {error.message}") from None
        self._written += len(data)

    def commit(self) -> None:
        """Replace the target, and remove what an earlier failure left; raise WriteError."""
        try:
            self._file.commit()
            Path(self._kept).unlink(missing_ok=True)
        except OSError as error:
            raise WriteError(f"{self._name}: write error: {error.strerror}") from None

    def abort(self, *, keep: bool) -> str | None:
        """Leave the target as it was; with `keep` rename what was written to `NAME.part`.

        Return the path of what was written if it was kept, else None.
        """
        try:
            if keep and self._written:
                os.replace(self._file.path, self._kept)
                return self._kept
            os.unlink(self._file.path)
        except OSError:  # the directory was made read-only, for example: the name stays as it is
            return self._file.path if keep and self._written else None
        return None


# The names of open descriptors, by number and of the standard streams.
_OPEN = re.compile(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)|/dev/(stdin|stdout|stderr)")


class DeviceSink(StdoutSink):
    """The sink that is a pipe or a device named by -O, which is written to and not replaced.

    Raise CantCreate if it cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self.place = name
        try:
            if match := _OPEN.fullmatch(name):
                # Opened anew, a file behind the descriptor would be written from its start.
                number = match[1] or match[2] or ("stdin", "stdout", "stderr").index(match[3])
                self._descriptor = os.dup(int(number))
            else:
                self._descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CantCreate(f"cannot open {name}: {error.strerror}") from None
        self.terminal = os.isatty(self._descriptor)

    def write(self, data: bytes) -> None:
        """Write all of `data`; raise WriteError or ReaderGone."""
        write_all(self._descriptor, data)


def names_descriptor(name: str) -> bool:
    """Return whether `name` stands for a descriptor that is open already, such as /dev/fd/3."""
    return _OPEN.fullmatch(name) is not None


def open_sink(environment: Environment, name: str | None) -> Sink:
    """Return the sink for the `name` given to -O; None and `-` mean stdout.

    Raise CantCreate if a file or device cannot be opened, WriteError if stdout is closed.
    """
    if name is None or name == "-":
        if STDOUT in environment.closed:
            raise WriteError("write error: Bad file descriptor", hint="stdout is closed")
        return StdoutSink()
    if _OPEN.fullmatch(name):
        return DeviceSink(name)
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return FileSink(name)
    # A directory is a FileSink, too, which says what is wrong with it.
    return FileSink(name) if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else DeviceSink(name)


def write_file(environment: Environment, name: str, lines: Iterable[bytes]) -> int:
    """Replace the file `name` by `lines` in one step, and return how many bytes those have.

    Raise CantCreate and WriteError as a sink does, and what `lines` raises; the file then stays.
    """
    sink, size, waiting = open_sink(environment, name), 0, bytearray()
    try:
        for line in lines:
            waiting += line
            if len(waiting) > _BLOCK:
                sink.write(bytes(waiting))
                size += len(waiting)
                waiting.clear()
        sink.write(bytes(waiting))
        sink.commit()
    except BaseException:
        sink.abort(keep=False)
        raise
    return size + len(waiting)


def _umask() -> int:
    # The mask can be read only by setting it. In between it is the strictest, so that a file which
    # another thread creates at this moment is too private rather than too open.
    current = os.umask(0o077)
    os.umask(current)
    return current

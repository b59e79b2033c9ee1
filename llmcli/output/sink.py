"""Where the bytes of an answer go: stdout, or a file that is replaced only on success."""

import os
import re
import stat
from pathlib import Path
from typing import Protocol

from llmcli.errors import CantCreate, WriteError
from llmcli.system.atomic_file import AtomicFile
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, write_all


class Sink(Protocol):
    retractable: bool
    terminal: bool

    def clear(self) -> None:
        """Forget what was written since `keep`, where the sink is retractable."""

    def keep(self) -> None:
        """What was written so far is not to be forgotten."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Everything was written: make it stay."""

    def abort(self, keep: bool) -> str | None:
        """Not whole: where the part was kept, if there is one and `keep` asks for it."""


class StdoutSink:
    """Raises WriteError and ReaderGone."""

    retractable = False

    def __init__(self) -> None:
        self.terminal = os.isatty(STDOUT)

    def clear(self) -> None:
        pass

    def keep(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        write_all(STDOUT, data)

    def commit(self) -> None:
        pass

    def abort(self, keep: bool) -> str | None:
        return None


class FileSink:
    """Writes beside the target and renames. Raises CantCreate at once, WriteError later."""

    retractable = True
    terminal = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._written = self._keep = 0
        try:
            self._target = Path(os.path.realpath(name))
            old = self._target.stat() if self._target.exists() else None
            if old and stat.S_ISDIR(old.st_mode):
                raise IsADirectoryError(0, "is a directory")
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
        """Mode and, where we may, owner of the file that is replaced."""
        mode = stat.S_IMODE(old.st_mode) if old else 0o666 & ~_umask()
        if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            try:
                os.fchown(self._descriptor, old.st_uid, old.st_gid)
            except OSError:
                pass
        os.fchmod(self._descriptor, mode)

    def clear(self) -> None:
        os.ftruncate(self._descriptor, self._keep)
        os.lseek(self._descriptor, self._keep, os.SEEK_SET)
        self._written = self._keep

    def keep(self) -> None:
        self._keep = self._written

    def write(self, data: bytes) -> None:
        try:
            write_all(self._descriptor, data)
        except WriteError as error:
            self._written = os.fstat(self._descriptor).st_size  # a part of it may stand
            raise WriteError(f"{self._name}: {error.message}") from None
        self._written += len(data)

    def commit(self) -> None:
        try:
            self._file.commit()
            Path(self._kept).unlink(missing_ok=True)  # of an earlier failure
        except OSError as error:
            raise WriteError(f"{self._name}: write error: {error.strerror}") from None

    def abort(self, keep: bool) -> str | None:
        try:
            if keep and self._written:
                os.replace(self._file.path, self._kept)
                return self._kept
            os.unlink(self._file.path)
        except OSError:
            return self._file.path if keep and self._written else None
        return None


_OPEN = re.compile(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)|/dev/(stdin|stdout|stderr)")


class DeviceSink(StdoutSink):
    """A pipe or device named by -O: it cannot be replaced, so it is written to.

    A name of an open descriptor is that descriptor: opened anew, a file would be overwritten.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            if named := _OPEN.fullmatch(name):
                number = named[1] or named[2] or ("stdin", "stdout", "stderr").index(named[3])
                self._descriptor = os.dup(int(number))
            else:
                self._descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CantCreate(f"cannot open {name}: {error.strerror}") from None
        self.terminal = os.isatty(self._descriptor)

    def write(self, data: bytes) -> None:
        write_all(self._descriptor, data)


def names_descriptor(name: str) -> bool:
    """Such as /dev/fd/3: what is open already, whatever it is."""
    return _OPEN.fullmatch(name) is not None


def open_sink(environment: Environment, name: str | None) -> Sink:
    """The sink for `-O name`; stdout for None and `-`. Raises CantCreate, WriteError."""
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
    return FileSink(name) if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else DeviceSink(name)


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current

"""Where the bytes of an answer go: stdout, or a file that is replaced only on success."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Protocol

from ..environment import STDOUT, Environment, write_all
from ..errors import CantCreate, WriteError


class Sink(Protocol):
    retractable: bool

    def clear(self) -> None:
        """Forget all that was written, where the sink is retractable."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Everything was written: make it stay."""

    def abort(self, keep: bool) -> str | None:
        """Not whole: where the part was kept, if there is one and `keep` asks for it."""


class StdoutSink:
    """Raises WriteError and ReaderGone."""

    retractable = False

    def clear(self) -> None:
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

    def __init__(self, name: str) -> None:
        self._name = name
        self._target = Path(os.path.realpath(name))
        try:
            mode = self._target.stat().st_mode if self._target.exists() else None
            if mode is not None and stat.S_ISDIR(mode):
                raise IsADirectoryError(0, "is a directory")
            if mode is not None and not os.access(self._target, os.W_OK):
                raise PermissionError(0, "Permission denied")
            self._descriptor, self._part = tempfile.mkstemp(
                prefix=f".{self._target.name[:200]}.", suffix=".part", dir=self._target.parent
            )
            os.fchmod(self._descriptor, 0o666 & ~_umask() if mode is None else stat.S_IMODE(mode))
        except OSError as error:
            raise CantCreate(f"cannot create {name}: {error.strerror}") from None
        self._written = 0

    def clear(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._written = 0

    def write(self, data: bytes) -> None:
        try:
            write_all(self._descriptor, data)
        except WriteError as error:
            raise WriteError(f"{self._name}: {error.message}") from None
        self._written += len(data)

    def commit(self) -> None:
        try:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            os.replace(self._part, self._target)
        except OSError as error:
            raise WriteError(f"{self._name}: write error: {error.strerror}") from None

    def abort(self, keep: bool) -> str | None:
        kept = f"{self._target}.part"
        try:
            if keep and self._written:
                os.replace(self._part, kept)
                return kept
            os.unlink(self._part)
        except OSError:
            pass
        return None


class DeviceSink(StdoutSink):
    """A pipe or device named by -O: it cannot be replaced, so it is written to."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CantCreate(f"cannot open {name}: {error.strerror}") from None

    def write(self, data: bytes) -> None:
        write_all(self._descriptor, data)


def open_sink(environment: Environment, name: str | None) -> Sink:
    """The sink for `-O name`; stdout for None and `-`. Raises CantCreate, WriteError."""
    if name is None or name == "-":
        if STDOUT in environment.closed:
            raise WriteError("write error: Bad file descriptor", hint="stdout is closed")
        return StdoutSink()
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return FileSink(name)
    return FileSink(name) if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else DeviceSink(name)


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current

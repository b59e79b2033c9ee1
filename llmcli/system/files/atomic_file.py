"""A file that is replaced in one step: a reader sees the old or the new one, never a mixture.

It is written beside its target, as `.NAME.llmcli-PID.part`, which is hidden, locked while it is
written, and removed by the next writer of the same target if its own was killed.
"""

import os
import re
import zlib
from contextlib import suppress
from itertools import count
from pathlib import Path

from llmcli.system.files import durable, locks
from llmcli.system.signals import signals_deferred

_SUFFIX = ".part"
_LONGEST_NAME = 255  # bytes, where the file system does not say
# Bytes that a work file's name has beside that of its target: the text, and the longest numbers.
_MARK = ".llmcli-"
_BESIDE = len(f".{_MARK}4194304-9999{_SUFFIX}")
# Names that are tried for what is kept of a file; then it stays under its hidden name.
_MOST_KEPT = 1000


class AtomicFile:
    """A new file in the directory of `target`, which can later take the place of `target`.

    It is written through `descriptor`, and only its owner can read it. `commit` puts it in the
    place of `target`, `discard` removes it, and `set_aside` gives it a name of its own; one of them
    ends the work on it. Raise OSError if it cannot be created.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.committed = False
        _sweep(target)
        self.descriptor, self.path = _create(target)
        self._open = True

    def commit(self, *, wait_for_disk: bool = True) -> OSError | None:
        """Put the new file in the place of `target`; raise OSError if that fails.

        With `wait_for_disk` it is on disk before that, and its name afterwards, so that not even a
        loss of power can leave an empty `target`. Return what kept the name from being synced: the
        new file is there all the same.
        """
        if wait_for_disk:
            durable.sync_file(self.descriptor)
        with signals_deferred():  # whoever is told of a signal must know which file is there
            os.replace(self.path, self.target)
            self.committed = True
        self._close()
        try:
            if wait_for_disk:
                durable.sync_folder(self.target.parent)
        except OSError as error:
            return error
        return None

    def discard(self) -> None:
        """Remove the new file; the old `target` stays as it is. Raise OSError if that fails."""
        self._close()
        if not self.committed:
            os.unlink(self.path)

    def set_aside(self) -> str:
        """Rename the new file to `NAME.part`, or `NAME.part.1` and so on, and return that path.

        A file that stands there already is somebody's, and stays. Raise OSError if no such name can
        be had; the new file then stays at `path`.
        """
        self._close()
        name = _fitting(self.target, len(f"{_SUFFIX}.{_MOST_KEPT}")) + _SUFFIX
        for number in range(_MOST_KEPT):
            kept = self.target.parent / (f"{name}.{number}" if number else name)
            with signals_deferred(), suppress(FileExistsError):
                # A rename alone would replace what stands there; this fails instead.
                os.close(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                self._rename_over(kept)
                return str(kept)
        raise FileExistsError(0, "too many files of that name")

    def _rename_over(self, kept: Path) -> None:
        """Rename the new file to `kept`, which is empty and ours; raise OSError, without `kept`."""
        try:
            os.replace(self.path, kept)
        except OSError:
            with suppress(OSError):
                os.unlink(kept)
            raise

    def _close(self) -> None:
        if self._open:
            self._open = False
            with suppress(OSError):  # what matters was synced before
                os.close(self.descriptor)


def _fitting(target: Path, beside: int) -> str:
    """Return the name of `target`, cut so that `beside` more bytes make a name that is allowed.

    A checksum takes the place of what was cut off, so that two names stay two.
    """
    name = os.fsencode(target.name)
    try:
        most = os.pathconf(target.parent, "PC_NAME_MAX")
    except (OSError, ValueError):
        most = _LONGEST_NAME
    if len(name) + beside <= most:
        return target.name
    checksum = f"~{zlib.crc32(name):08x}"
    # Cut within a character, the name would not be UTF-8, which some systems demand.
    return name[: most - beside - len(checksum)].decode(errors="ignore") + checksum


def _create(target: Path) -> tuple[int, str]:
    """Return the descriptor and the path of a new, locked file beside `target`.

    Raise OSError if it cannot be created. On a file system without locks it has none.
    """
    begin = f".{_fitting(target, _BESIDE)}{_MARK}{os.getpid()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for number in count():
        path = str(target.parent / f"{begin}{f'-{number}' if number else ''}{_SUFFIX}")
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            continue  # of another thread, or of a killed process of the same id elsewhere
        try:
            locks.lock(descriptor, patience=0)
        except TimeoutError:
            os.close(descriptor)  # another process sweeps it up, as it was not locked yet
            continue
        except OSError:
            return descriptor, path
        if locks.is_still_at(os.fstat(descriptor), path):
            return descriptor, path
        os.close(descriptor)  # swept up
    raise AssertionError("count() never ends")


def _sweep(target: Path) -> None:
    """Remove the work files that killed processes left of `target`: those that nobody has locked.

    What cannot be removed stays.
    """
    begin = re.escape(f".{_fitting(target, _BESIDE)}{_MARK}")
    work_file = re.compile(rf"{begin}\d+(-\d+)?{re.escape(_SUFFIX)}")
    try:
        names = os.listdir(target.parent)
    except OSError:
        return
    for name in names:
        if name.startswith(".") and work_file.fullmatch(name):
            with suppress(OSError):
                _remove_unlocked(str(target.parent / name))


def _remove_unlocked(path: str) -> None:
    """Remove the file at `path`; raise OSError if somebody has locked it, or it is not ours."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        locks.lock(descriptor, patience=0)
        if status.st_uid == os.geteuid() and locks.is_still_at(status, path):
            os.unlink(path)
    finally:
        os.close(descriptor)


def replace_file(target: Path, data: bytes) -> None:
    """Replace the content of `target` by `data` in one step, without waiting for the disk.

    After a loss of power the file may be empty, so it is meant for data that can be made again,
    such as a cache. Raise OSError if it fails; `target` is then unchanged and nothing is left.
    """
    file = AtomicFile(target)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file.descriptor, rest) :]
        file.commit(wait_for_disk=False)
    except BaseException:  # a signal or the deadline must not leave the new file behind
        with suppress(OSError):  # the first failure is the one to tell
            file.discard()
        raise

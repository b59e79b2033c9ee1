"""The sink that is a file, which is replaced only by an answer that is whole."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from llmcli.errors import CantCreate, WriteError
from llmcli.system.files.atomic_file import AtomicFile
from llmcli.system.stdio import write_all


class FileSink:
    """The sink that is a file, which is written beside its target and renamed on `commit`.

    `tell` gets the warnings. Raise CantCreate at once if the target cannot be replaced, so that
    nothing is paid in vain.
    """

    retractable = True
    terminal = False

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self._name = self.place = name
        self._tell = tell
        self._written = self._keep = 0  # bytes: the size of the file, and what `clear` leaves
        try:
            # The target of a symbolic link is replaced, and the link stays.
            target = Path(os.path.realpath(name))
            old = _status(target)
            if old and stat.S_ISDIR(old.st_mode):
                raise IsADirectoryError(0, "is a directory")
            # The rename would succeed even on a file that its owner has made read-only.
            if old and not os.access(target, os.W_OK):
                raise PermissionError(0, "Permission denied")
            self._file = AtomicFile(target)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CantCreate(f"cannot create {name}: {reason}") from None
        self._inherit(old)

    def _inherit(self, old: os.stat_result | None) -> None:
        """Give the new file the mode and the owner of the old one, where the system lets us.

        Where it does not, that must not cost the answer: only root may give a file away, and some
        file systems have no modes.
        """
        descriptor = self._file.descriptor
        if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(OSError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
        # After the owner, since a change of owner clears the set-user-ID bits (chown(2)).
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if old else 0o666 & ~_umask())

    def clear(self) -> None:
        """Cut the file to its size at the last `keep`; raise WriteError."""
        try:
            os.ftruncate(self._file.descriptor, self._keep)
            os.lseek(self._file.descriptor, self._keep, os.SEEK_SET)
        except OSError as error:
            raise self._not_written(error) from None
        self._written = self._keep

    def keep(self) -> None:
        """Let `clear` leave what was written so far."""
        self._keep = self._written

    def write(self, data: bytes) -> None:
        """Write all of `data`; raise WriteError, naming the file."""
        try:
            write_all(self._file.descriptor, data)
        except WriteError as error:
            with suppress(OSError):  # a part of `data` may be in it
                self._written = os.fstat(self._file.descriptor).st_size
            raise WriteError(f"{self._name}: {error.message}") from None
        self._written += len(data)

    def commit(self) -> None:
        """Replace the target; raise WriteError if that fails.

        Once it is replaced the answer is there, and whatever fails after that is a warning.
        """
        try:
            failure = self._file.commit()
        except OSError as error:
            raise self._not_written(error) from None
        if failure:
            reason = f"{failure.strerror}, so a loss of power may bring the old one back"
            self._tell(f"warning: {self._name} is written, but its directory not synced: {reason}")

    def _not_written(self, error: OSError) -> WriteError:
        return WriteError(f"{self._name}: write error: {error.strerror}")

    def abort(self, *, keep: bool) -> str | None:
        """Leave the target as it was; with `keep` give what was written a name of its own.

        That is `NAME.part`, or `NAME.part.1` and so on where that is somebody's. Return the path of
        what was written if it was kept, else None.
        """
        if self._file.committed:
            return None
        try:
            if keep and self._written:
                return self._file.set_aside()
            self._file.discard()
        except OSError:  # the directory was made read-only, for example: the name stays as it is
            return self._file.path if keep and self._written else None
        return None


def _status(target: Path) -> os.stat_result | None:
    """Return the status of `target`, None if it does not exist; raise OSError."""
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _umask() -> int:
    # The mask can be read only by setting it. In between it is the strictest, so that a file which
    # another thread creates at this moment is too private rather than too open.
    current = os.umask(0o077)
    os.umask(current)
    return current

"""A file that is replaced in one step: a reader sees the old or the new one, never a mixture."""

import os
from pathlib import Path


class AtomicFile:
    """A new file in the directory of `target`, which can later take the place of `target`.

    It is written through `descriptor`, and only its owner can read it. `commit` puts it in the
    place of `target`, `discard` removes it. Each method raises OSError if it fails.
    """

    def __init__(self, target: Path, prefix: str = ".new-", suffix: str = "") -> None:
        import tempfile  # noqa: PLC0415  # it loads random, which a plain run does not need

        self.target = target
        # In the same directory, as a rename does not cross file systems.
        self.descriptor, self.path = tempfile.mkstemp(suffix, prefix, target.parent)
        self._open = True

    def commit(self, *, durable: bool = True) -> None:
        """Put the new file in the place of `target`.

        With `durable` its content is on disk before that, so that not even a loss of power can
        leave an empty `target`.
        """
        if durable:
            os.fsync(self.descriptor)
        self._close()
        os.replace(self.path, self.target)

    def discard(self) -> None:
        """Remove the new file; the old `target` stays as it is."""
        self._close()
        os.unlink(self.path)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.descriptor)


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
        file.commit(durable=False)
    except BaseException:  # a signal or the deadline must not leave the new file behind
        file.discard()
        raise

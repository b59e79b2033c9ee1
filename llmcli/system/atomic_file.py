"""A file that is replaced in one step: readers see the old one or the new one, never a part."""

import os
from pathlib import Path


class AtomicFile:
    """A new file beside `target`, to be written through `descriptor`; readable by its owner only.

    It takes the place of `target` by `commit`, or goes by `discard`. Raises OSError.
    """

    def __init__(self, target: Path, prefix: str = ".new-", suffix: str = "") -> None:
        import tempfile  # it loads random, which a plain run does not need

        self.target = target
        self.descriptor, self.path = tempfile.mkstemp(suffix, prefix, target.parent)
        self._open = True

    def commit(self, *, durable: bool = True) -> None:
        """Put it in the place of `target`; first on disk, where it is to be `durable`."""
        if durable:
            os.fsync(self.descriptor)
        self._close()
        os.replace(self.path, self.target)

    def discard(self) -> None:
        """Remove it; the old `target` stays."""
        self._close()
        os.unlink(self.path)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.descriptor)


def replace_file(target: Path, data: bytes) -> None:
    """Write `data`, which can be made again, in the place of `target`.

    Nothing is left of a failure. Raises OSError."""
    file = AtomicFile(target)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file.descriptor, rest) :]
        file.commit(durable=False)
    except BaseException:
        file.discard()
        raise

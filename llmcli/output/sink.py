"""Where the answer is written: stdout, a device, or a file that is replaced only on success."""

import os
import re
import stat
from collections.abc import Iterable
from typing import Protocol

from llmcli.errors import CantCreate, WriteError
from llmcli.system.environment import Environment
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


def is_regular(name: str) -> bool:
    """Return True if `name` is a regular file or does not exist, False for a device or a pipe."""
    if _OPEN.fullmatch(name):
        return False
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


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
    except (OSError, ValueError):  # which may be the file that is to be made
        mode = stat.S_IFREG
    # A directory is a FileSink, too, which says what is wrong with it.
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return DeviceSink(name)
    from llmcli.output.file_sink import FileSink  # noqa: PLC0415  # most answers go to stdout

    return FileSink(name, environment.note)


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

"""The three standard streams: closed descriptors, complete writes, and arguments as text."""

import io
import os
import select
from collections.abc import Sequence

from llmcli.errors import (
    ReaderGone,
    WriteError,
)

STDIN, STDOUT, STDERR = 0, 1, 2
# The descriptors whose last text does not end in a newline.
_open_lines: set[int] = set()


def plug_closed_descriptors() -> frozenset[int]:
    """Open /dev/null on each of the descriptors 0 to 2 that is closed, and return these.

    stdout is opened for reading only, so that a write to it still fails with EBADF.
    """
    closed = set()
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            # open() takes the lowest free number. Left free, it would go to the next socket, and
            # the answer would be written to the server.
            os.open(os.devnull, os.O_WRONLY if descriptor == STDERR else os.O_RDONLY)
    return frozenset(closed)


class CheckedStdout(io.TextIOBase):
    """A replacement for sys.stdout, to which libraries print help, that writes by `write_all`."""

    encoding = "utf-8"
    errors = "replace"

    def write(self, text: str) -> int:
        """Write `text` and return its length in characters. Raise what `write_all` raises."""
        write_all(STDOUT, text.encode(errors="replace"))
        return len(text)

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether stdout is a terminal."""
        return os.isatty(STDOUT)


def arguments(argv: Sequence[str]) -> list[str]:
    """Return `argv` decoded as UTF-8 whatever the locale is.

    A byte that is not valid UTF-8 becomes a lone surrogate, as PEP 383 has it.
    """
    return [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in argv]


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of `data` to `descriptor`.

    Raise ReaderGone if the reader closed its end (EPIPE), WriteError for any other failure.
    """
    if data[-1:] == b"\n":
        _open_lines.discard(descriptor)
    elif data:
        _open_lines.add(descriptor)
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Another program has set our stdout to non-blocking: wait as a blocking write would.
            select.select([], [descriptor], [])
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise WriteError(f"write error: {error.strerror}") from error


def ends_open_line(descriptor: int) -> bool:
    """Return whether the last text in the file of `descriptor` lacks its newline; forget that.

    Only what `write_all` wrote counts, to this descriptor or another one of the same file: the same
    terminal, or the file of `2>&1`.
    """
    target = os.fstat(descriptor)
    same = {one for one in _open_lines if _is_file_of(one, target)}
    _open_lines.difference_update(same)
    return bool(same)


def _is_file_of(descriptor: int, target: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), target)
    except OSError:  # closed by now
        return False


def print_line(line: str) -> None:
    """Write `line` and a newline to stdout. Raise what `write_all` raises."""
    write_all(STDOUT, f"{line}\n".encode(errors="replace"))

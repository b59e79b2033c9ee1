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


def print_line(line: str) -> None:
    """Write `line` and a newline to stdout. Raise what `write_all` raises."""
    write_all(STDOUT, f"{line}\n".encode(errors="replace"))

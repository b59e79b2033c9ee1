"""The three standard streams: descriptors, writing every byte, arguments as text."""

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
    """Open /dev/null on descriptors 0 to 2 that are closed, lest the next socket becomes one.

    stdout is plugged for reading only, so that writing still fails with EBADF.
    """
    closed = set()
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            os.open(os.devnull, os.O_WRONLY if descriptor == STDERR else os.O_RDONLY)
    return frozenset(closed)


class CheckedStdout(io.TextIOBase):
    """What libraries print, such as help, with the checks of `write_all`."""

    encoding = "utf-8"
    errors = "replace"

    def write(self, text: str) -> int:
        write_all(STDOUT, text.encode(errors="replace"))
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(STDOUT)


def arguments(argv: Sequence[str]) -> list[str]:
    """Arguments are UTF-8 whatever the locale; other bytes stand as lone surrogates."""
    return [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in argv]


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of `data` to `descriptor`. Raises WriteError, or ReaderGone on EPIPE."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            # Another program has set our stdout to non-blocking: wait as a blocking write would.
            select.select([], [descriptor], [])
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise WriteError(f"write error: {error.strerror}") from error


def print_line(line: str) -> None:
    """A line of a command's own output on stdout. Raises as `write_all`."""
    write_all(STDOUT, f"{line}\n".encode(errors="replace"))

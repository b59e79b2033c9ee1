"""What the user gives: words, stdin and files, made into the content of a message."""

import os
import select
import time
from collections.abc import Sequence

from llmcli.errors import BadRequest, NoInput, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN
from llmcli.system.text import check_text, decoded

STDIN_NAMES = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_NOTICE_AFTER = 2.0
_MOST_DIGITS = 15


@dataclass
class Input:
    """Reads stdin and files, at most `limit` bytes in all."""

    environment: Environment
    limit: int
    use_stdin: bool = True
    taken: int = 0
    stdin_taken: bool = False

    def stdin(self, notice: bool) -> bytes:
        """All of stdin. `notice`: there is something to send without it, so say what is awaited."""
        if self.stdin_taken:
            raise UsageError("stdin can be used only once")
        self.stdin_taken = True
        self.environment.stage = "stdin has not ended"
        if self.environment.is_terminal(STDIN):
            self.environment.note("reading the terminal; end with Ctrl-D")
        elif notice:
            self._wait_with_notice()
        return self._read_all(STDIN, "stdin")

    def file(self, name: str) -> bytes:
        if name in STDIN_NAMES:
            if not self.use_stdin:
                raise UsageError(f"{name} is stdin, but -n forbids it", hint="drop one of them")
            if STDIN in self.environment.closed:
                raise UsageError(f"{name} is stdin, which is closed; nothing sent")
            return self.stdin(notice=False)
        descriptor = open_file(name)
        try:
            return self._read_all(descriptor, name)
        finally:
            os.close(descriptor)

    def text_of(self, value: str, option: str) -> str:
        """`value` itself, or the text of the file in `@FILE`."""
        if not value.startswith("@"):
            return check_text(value, option)
        return decoded(self.file(value[1:]), f"{option} {value}").rstrip("\r\n")

    def _wait_with_notice(self) -> None:
        until = time.monotonic() + _NOTICE_AFTER
        if not select.select([STDIN], [], [], max(until - time.monotonic(), 0))[0]:
            self.environment.say("waiting for stdin; -n ignores it")

    def _read_all(self, descriptor: int, name: str) -> bytes:
        blocks: list[bytes] = []
        while block := read_block(descriptor, name, 1 << 20):
            self.taken += len(block)
            if self.taken > self.limit:
                raise BadRequest(f"input larger than {_size(self.limit)} (--max-input)")
            blocks.append(block)
        return b"".join(blocks)


def open_file(name: str) -> int:
    """A descriptor to read from. Raises NoInput."""
    try:
        path = name.encode("utf-8", "surrogateescape")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def read_block(descriptor: int, name: str, size: int) -> bytes:
    """What there is, at most `size`; empty at the end. Raises NoInput."""
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            select.select([descriptor], [], [])
        except OSError as error:
            raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError | ValueError) -> NoInput:
    return NoInput(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count % 2**20 == 0 else f"{count} bytes"


def size(value: str) -> int:
    """Bytes of `64M`, `1G`, `500k` or a plain number. Raises UsageError."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    number, unit = value.strip(), 1
    if number[-1:].lower() in units:
        number, unit = number[:-1], units[number[-1].lower()]
    if not number.isdecimal() or len(number) > _MOST_DIGITS or not int(number):
        raise UsageError(f"--max-input {value!r} is no size", hint="such as 64M")
    return int(number) * unit


def words(arguments: Sequence[str]) -> str:
    """The words of PROMPT joined by one space."""
    return check_text(" ".join(arguments), "PROMPT")

"""The input that the user gives: words of PROMPT, stdin and files, read within a limit."""

import os
import select
from collections.abc import Sequence

from llmcli.errors import BadRequest, NoInput, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN
from llmcli.system.text import check_text, decoded

# Names that mean stdin. Opened by name, a file on stdin would be read again from its start.
STDIN_NAMES = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
# Seconds of waiting for stdin until the user is told.
_NOTICE_AFTER = 2.0
# Bytes of one read.
_BLOCK = 1 << 20
# Digits of a size; int() raises ValueError for more than 4300 of them.
_MOST_DIGITS = 15


@dataclass
class Input:
    """A reader of stdin and files, of at most `limit` bytes in all.

    `use_stdin` is false with -n. `taken` counts the bytes so far. `stdin_taken` is true once stdin
    was read, which is possible only once.
    """

    environment: Environment
    limit: int
    use_stdin: bool = True
    taken: int = 0
    stdin_taken: bool = False

    def stdin(self, *, notice: bool) -> bytes:
        """Return all of stdin.

        `notice` says that there is something to send without stdin: then the user, who may not
        expect it to be read, is told after two seconds that it is waited for. Raise UsageError if
        stdin was read before, BadRequest beyond the limit, and NoInput if it cannot be read.
        """
        if self.stdin_taken:
            raise UsageError("stdin can be used only once")
        self.stdin_taken = True
        with self.environment.waiting_for("stdin"):
            if self.environment.is_terminal(STDIN):
                self.environment.note("reading the terminal; end with Ctrl-D")
            elif notice:
                _wait_with_notice(self.environment)
            return self._read_all(STDIN, "stdin")

    def file(self, name: str) -> bytes:
        """Return all of the file `name`; `-` and its synonyms mean stdin.

        Raise NoInput if it cannot be read, BadRequest beyond the limit, and UsageError for a stdin
        that is closed, forbidden by -n or read before.
        """
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
        """Return the `value` of an `option`, or for `@FILE` the text of the file.

        Line ends that finish the file are dropped. Raise what `file` raises, and BadRequest for
        bytes that are not UTF-8 text.
        """
        if not value.startswith("@"):
            return check_text(value, option)
        return decoded(self.file(value[1:]), f"{option} {value}").rstrip("\r\n")

    def _read_all(self, descriptor: int, name: str) -> bytes:
        blocks: list[bytes] = []
        while block := read_block(descriptor, name, _BLOCK):
            self.taken += len(block)
            # Checked while it is read, since /dev/zero never ends.
            if self.taken > self.limit:
                raise BadRequest(f"input larger than {_shown(self.limit)} (--max-input)")
            blocks.append(block)
        return b"".join(blocks)


def _wait_with_notice(environment: Environment) -> None:
    if not select.select([STDIN], [], [], _NOTICE_AFTER)[0]:
        environment.say_once("waiting for stdin; -n ignores it")


def stdin_begins(environment: Environment) -> bool:
    """Wait for the beginning or the end of stdin, without reading it; return whether it begins.

    After two seconds the user is told that it is waited for.
    """
    import fcntl  # noqa: PLC0415  # for a prompt of a single word only
    import termios  # noqa: PLC0415

    environment.stage = "stdin has not begun"
    _wait_with_notice(environment)
    select.select([STDIN], [], [])
    try:
        # The number of bytes that can be read at once, which is 0 at the end.
        waiting = fcntl.ioctl(STDIN, termios.FIONREAD, bytes(4))
    except OSError:  # a device such as /dev/null
        return False
    return any(waiting)


def open_file(name: str) -> int:
    """Return a descriptor that reads the file `name`.

    Raise NoInput if it cannot be opened, UsageError if it is a URL.
    """
    try:
        # Whatever the locale says: arguments were decoded from UTF-8 in the same way.
        path = name.encode("utf-8", "surrogateescape")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        scheme = name.partition("://")[0]
        if scheme != name and scheme.isalpha():
            # The rest is not shown, as a URL may hold a password.
            problem = f"{scheme}://… is a URL, and only files are read"
            raise UsageError(problem, hint='pipe it in: curl -s URL | llmcli "…"') from None
        raise _unreadable(name, error) from None


def read_block(descriptor: int, name: str, size: int) -> bytes:
    """Return the next bytes, at most `size`, as soon as there are any; nothing at the end.

    Raise NoInput, naming the file `name`, if it cannot be read.
    """
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:  # another program that shares our stdin made it non-blocking
            select.select([descriptor], [], [])
        except OSError as error:
            raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError | ValueError) -> NoInput:
    return NoInput(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


def _shown(count: int) -> str:
    return f"{count // 2**20} MiB" if count % 2**20 == 0 else f"{count} bytes"


def size(value: str) -> int:
    """Return the number of bytes that --max-input names, such as 500, 10k, 64M or 1G.

    The units are powers of 1024. Raise UsageError for a `value` that is not such a size, and for 0.
    """
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    number, unit = value.strip(), 1
    if number[-1:].lower() in units:
        number, unit = number[:-1], units[number[-1].lower()]
    if not number.isdecimal() or len(number) > _MOST_DIGITS or not int(number):
        problem = f"--max-input {value!r} is not a valid size"
        raise UsageError(problem, hint="give a number of bytes such as 64M")
    return int(number) * unit


def words(arguments: Sequence[str]) -> str:
    """Return PROMPT, its words joined by one space; raise BadRequest for what is not UTF-8."""
    return check_text(" ".join(arguments), "PROMPT")

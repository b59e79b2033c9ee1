"""A file of results, a JSON line each, that one process at a time appends to.

A line goes in as one write; what a kill left of a last one is taken away.
"""

import errno
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator

from llmcli.errors import CantCreate, TryLater, WriteError
from llmcli.system import jsonl
from llmcli.system.dataclass import dataclass
from llmcli.system.locks import lock

_BLOCK = 1 << 18
# How the id of a line of a batch begins; its key follows.
BATCH = "batch_req_"
# Forms of a line.
TEXT, JSON, BATCH_LINES = "text", "JSON", "batch"
# How our lines begin; what else stands in a file is somebody's.
_HEADS = (b'{"key": "', f'{{"id": "{BATCH}'.encode())
_LONGEST_HEAD = max(map(len, _HEADS))
# struct flock of Linux and macOS: the process is where it is in neither's padding.
_FLOCK = "hhqqi4x" if os.uname().sysname == "Linux" else "qqihh"


@dataclass(frozen=True)
class Entry:
    """A line: where it begins, in which form, of which content, whether it is an answer, and its
    number."""

    offset: int
    form: str
    key: str
    ok: bool
    index: int


class ResultFile:
    """Created if it is not there. Raises CantCreate; TryLater where another process has it."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o666)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CantCreate(f"cannot create {path}: {reason}") from None
        self._lock()
        self._size = os.fstat(self._descriptor).st_size

    def _lock(self) -> None:
        """flock keeps others out; the lock of fcntl tells them who does, until another descriptor
        of the file is closed."""
        try:
            lock(self._descriptor, patience=0)
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, TimeoutError) or error.errno in (errno.EACCES, errno.EAGAIN):
                holder = _holder(self._descriptor)
                raise TryLater(f"{self.path} is being written by {holder}") from None
            raise CantCreate(f"cannot lock {self.path}: {error.strerror}") from None

    @property
    def size(self) -> int:
        return self._size

    def is_in_place(self) -> bool:
        """Nobody has removed or replaced it."""
        return jsonl.is_still_at(os.fstat(self._descriptor), self.path)

    def clear(self) -> None:
        os.ftruncate(self._descriptor, 0)
        self._size = 0

    def check(self) -> None:
        """Raises CantCreate for what is no file of results."""
        if self._size and not _ours(os.pread(self._descriptor, _LONGEST_HEAD, 0)):
            raise CantCreate(f"{self.path} is no file of results; it would be overwritten")

    def entries(self) -> Iterator[Entry]:
        """Of the whole lines; a torn last one is cut off. Raises CantCreate for what is no file
        of results."""
        offset = 0
        for number, text in enumerate(self._lines(), 1):
            entry = _entry(offset, text)
            if entry is None and text.strip():
                # Zeros are what a loss of power can leave.
                if not text.endswith(b"\n") and (_ours(text) or not text.strip(b"\0")):
                    os.ftruncate(self._descriptor, offset)
                    self._size = offset
                    return
                hint = "name another file, or do without --resume"
                raise CantCreate(f"{self.path}: line {number} is no result of map", hint=hint)
            if entry is not None:
                yield entry
            offset += len(text)
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            self.append(b"\n")  # a last line that only lacks its end

    def _lines(self) -> Iterator[bytes]:
        begun: list[bytes] = []
        offset = 0
        while block := os.pread(self._descriptor, _BLOCK, offset):
            offset += len(block)
            first, *others = block.splitlines(keepends=True)
            for piece in (first, *others):
                begun.append(piece)
                if piece.endswith(b"\n"):
                    yield b"".join(begun)
                    begun = []
        if begun:
            yield b"".join(begun)

    def line_at(self, offset: int) -> bytes:
        found = b""
        while b"\n" not in found:
            block = os.pread(self._descriptor, 4096 + len(found), offset + len(found))
            if not block:
                break
            found += block
        return found[: found.find(b"\n") + 1]

    def append(self, line: bytes) -> int:
        """Where it now stands. Raises WriteError, with nothing of it left."""
        begin = self._size
        try:
            jsonl.write_whole(self._descriptor, line, begin)
        except OSError as error:
            raise WriteError(f"{self.path}: write error: {error.strerror}") from None
        self._size += len(line)
        return begin


def holds_lines(path: str) -> bool:
    """Whether it begins as a file of results that are JSON."""
    try:
        with open(path, "rb") as file:
            head = file.read(_LONGEST_HEAD)
    except OSError:
        return False
    return len(head) == _LONGEST_HEAD and _ours(head)


def _ours(text: bytes) -> bool:
    return any(text.startswith(head[: len(text)]) for head in _HEADS)


def _entry(offset: int, text: bytes) -> Entry | None:
    value = jsonl.parse_record(text) if _ours(text) else None
    if value is None:
        return None
    if str(value.get("id", "")).startswith(BATCH) and "custom_id" in value:
        about = value.get("llmcli") or {}
        key, ok = value["id"].removeprefix(BATCH), value.get("error") is None
        return Entry(offset, BATCH_LINES, key, ok, about.get("index", -1))
    if not isinstance(value.get("key"), str):
        return None
    form = JSON if "input" in value else TEXT
    return Entry(offset, form, value["key"], value.get("ok") is True, value.get("index", -1))


def _holder(descriptor: int) -> str:
    """The process that has the lock, and since when it runs."""
    try:
        pid = _pid_of_lock(descriptor)
        started = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=True
        )
        return f"process {pid}, started {' '.join(started.stdout.split())}"
    except (OSError, subprocess.SubprocessError):
        return "another process"


def _pid_of_lock(descriptor: int) -> int:
    linux = _FLOCK.startswith("h")
    asked = (fcntl.F_WRLCK, 0, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, 0)
    found = struct.unpack(
        _FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, *asked))
    )
    return int(found[4] if linux else found[2])

"""The input of `map`: records, and the open file they are read from piece by piece."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from llmcli.chat.prompt import reading
from llmcli.chat.prompt.content import Attachments
from llmcli.errors import BadRequest, LlmcliError
from llmcli.system.dataclass import dataclass
from llmcli.system.text import decoded

T = TypeVar("T")

# Bytes that are read at once, and those that a mark of the encoding may take.
_BLOCK = 1 << 16
_MARK = 4

# Bytes that are kept of a record that is too large: enough to tell JSON from CSV.
_HEAD = 64


class Record(NamedTuple):
    """One record of the input.

    `value` is the record as JSON shows it in the results. `text` replaces `{}` in the prompt, and
    `fields` has the values for `{field}`; it is None if the record has no fields, as a plain line.
    `files` are attached to the prompt. `problem` is set if the record is malformed, so that nothing
    can be asked.
    """

    value: Any
    text: str = ""
    fields: Mapping[str, Any] | None = None
    files: Attachments = Attachments()
    problem: LlmcliError | None = None


@dataclass(frozen=True)
class Oversized:
    """A record that is larger than the limit: its size in bytes, and its first bytes."""

    size: int
    head: bytes


Pieces = Iterator[bytes | Oversized]


class Source:
    """An open file whose records are read once, from the beginning to the end.

    `name` is what messages call the file. `limit` is the most bytes that a record may have, and
    `limit_name` how the user wrote that, such as `64M`. `taken` counts the bytes of the records so
    far; `by_nul` says that records end with NUL. Raises BadRequest for text in UTF-16 or UTF-32, as
    soon as its first bytes are read.
    """

    def __init__(self, descriptor: int, name: str, limit: int, limit_name: str) -> None:
        self._descriptor = descriptor
        self.name = name
        self.limit = limit
        self._limit_name = limit_name
        self.taken = 0
        self.by_nul = False
        self._begun = False
        # Blocks that were read ahead, and those that `peek` keeps to be read again.
        self._waiting: deque[bytes] = deque()
        self._kept: list[bytes] | None = None

    def peek(self, look: "Callable[[Source], T]") -> T:
        """Return what `look` finds in the source; what it reads is read again afterwards."""
        self._kept, taken = [], self.taken
        try:
            return look(self)
        finally:
            self._waiting.extendleft(reversed(self._kept))
            self._kept, self.taken = None, taken

    def is_empty(self) -> bool:
        """Return whether nothing is left to read; wait for the next bytes."""
        return not self.peek(Source._block)

    def pieces(self, end: bytes) -> Pieces:
        """Yield the bytes between two separators `end`, which the last piece may lack.

        A piece that is too large is an Oversized, and is not held in memory. Raises NoInput where
        the file cannot be read.
        """
        begun: list[bytes] = []
        size = 0
        while block := self._block():
            for number, part in enumerate(block.split(end)):
                if number:
                    yield self._whole(begun, size)
                    begun, size = [], 0
                size += len(part)
                # Beyond the limit only the size counts on; the first part gives the head.
                if size <= self.limit or not begun:
                    begun.append(part)
        if size:
            yield self._whole(begun, size)

    def lines(self) -> Pieces:
        """Yield the lines with their ends, which may be LF, CRLF or CR; else as `pieces` does.

        Where a read ends amid a CRLF, its LF is a line of its own.
        """
        begun: list[bytes] = []
        size = 0
        while block := self._block():
            for part in block.splitlines(keepends=True):
                size += len(part)
                if size <= self.limit or not begun:
                    begun.append(part)
                if part.endswith((b"\n", b"\r")):
                    yield self._whole(begun, size)
                    begun, size = [], 0
        if size:
            yield self._whole(begun, size)

    def _block(self) -> bytes:
        """Return the next bytes of the file; nothing at its end."""
        if self._waiting:
            block = self._waiting.popleft()
        else:
            block = reading.read_block(self._descriptor, self.name, _BLOCK)
            if block and not self._begun:
                self._begun = True
                block = self._checked(block)
        if self._kept is not None and block:
            self._kept.append(block)
        return block

    def _checked(self, block: bytes) -> bytes:
        """Return the first block, which has a few bytes at least; raise BadRequest for UTF-16."""
        while len(block) < _MARK and b"\n" not in block:
            more = reading.read_block(self._descriptor, self.name, _BLOCK)
            if not more:
                break
            block += more
        if block.isascii() and b"\0" not in block:
            return block
        from llmcli.system.files import not_text  # noqa: PLC0415  # most input is text

        encoding = not_text.wide_encoding(block)
        # Without a mark it may be records that end with NUL.
        if encoding and not (self.by_nul and encoding.endswith("E")):
            hint = not_text.convert(encoding, None if self.name == "stdin" else self.name)
            raise BadRequest(f"{self.name} is {encoding} text, not UTF-8", hint=hint)
        return block

    def _whole(self, parts: Sequence[bytes], size: int) -> bytes | Oversized:
        self.taken += size + 1
        whole = b"".join(parts)
        return whole if size <= self.limit else Oversized(size, whole[:_HEAD])

    def too_long(self) -> BadRequest:
        """Return the error of a record that is larger than the limit."""
        return BadRequest(f"the record is larger than {self._limit_name} (--max-input)")

    def stat(self) -> os.stat_result:
        """Return what the system knows of the open file, such as its type and size."""
        return os.fstat(self._descriptor)

    def text(self, piece: bytes | Oversized) -> str:
        """Return a piece as text, without the CR that a line end of Windows leaves.

        Raises BadRequest for a piece that is too large, binary or not UTF-8.
        """
        if isinstance(piece, Oversized):
            raise self.too_long()
        try:
            return decoded(piece.removesuffix(b"\r"), "the record")
        except BadRequest as error:
            # The hint of the error is advice for a whole file, such as an image.
            raise BadRequest(error.message) from None

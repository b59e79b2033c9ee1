"""What records are read from: a descriptor, cut into the pieces between line ends."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmcli.chat.prompt import reading
from llmcli.chat.prompt.content import Attachments
from llmcli.errors import BadRequest, LlmcliError
from llmcli.system.dataclass import dataclass, field
from llmcli.system.text import decoded

_BLOCK = 1 << 16

_HEAD = 64

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Record:
    """`value` is its JSON, `text` what `{}` stands for, `fields` what `{field}` looks into, if it
    has any; `files` is what it adds to the prompt; `problem` why there is nothing to ask."""

    value: Any
    text: str = ""
    fields: Mapping[str, Any] | None = None
    files: Attachments = field(default=Attachments())
    problem: LlmcliError | None = None


@dataclass(frozen=True)
class Oversized:
    """A record beyond the limit, of which only size and beginning are known."""

    size: int
    head: bytes


Pieces = Iterator[bytes | Oversized]


class Source:
    """A descriptor, read once. `taken`: bytes of the records so far."""

    def __init__(self, descriptor: int, name: str, limit: int, limit_name: str) -> None:
        self._descriptor = descriptor
        self.name = name
        self.limit = limit
        self._limit_name = limit_name
        self.taken = 0

    def pieces(self, end: bytes) -> Pieces:
        """What stands between two `end`s; a last one may be missing. Raises NoInput."""
        begun: list[bytes] = []
        size = 0
        while block := reading.read_block(self._descriptor, self.name, _BLOCK):
            for number, part in enumerate(block.split(end)):
                if number:
                    yield self._whole(begun, size)
                    begun, size = [], 0
                size += len(part)
                if size <= self.limit or not begun:  # what is too large is not kept
                    begun.append(part)
        if size:
            yield self._whole(begun, size)

    def _whole(self, parts: Sequence[bytes], size: int) -> bytes | Oversized:
        self.taken += size + 1
        whole = b"".join(parts)
        return whole if size <= self.limit else Oversized(size, whole[:_HEAD])

    def too_long(self) -> BadRequest:
        return BadRequest(f"the record is larger than {self._limit_name} (--max-input)")

    def stat(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def text(self, piece: bytes | Oversized) -> str:
        """Raises BadRequest."""
        if isinstance(piece, Oversized):
            raise self.too_long()
        try:
            return decoded(piece.removesuffix(b"\r"), "the record")
        except BadRequest as error:
            raise BadRequest(error.message) from None  # its hint is for whole files

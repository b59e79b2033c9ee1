"""The body of an upload in the form multipart/form-data (RFC 7578), read as it is sent."""

import os
from collections.abc import Mapping
from typing import BinaryIO

from llmcli.backends.http import timeouts


class Upload:
    """The fields of a form, and behind them the whole `file` under the name `filename`.

    The file is read in pieces while it is sent, so that its size takes no memory.
    """

    def __init__(self, fields: Mapping[str, str], filename: str, file: BinaryIO) -> None:
        boundary = f"llmcli-{os.urandom(16).hex()}"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"'
            "\r\nContent-Type: application/jsonl\r\n\r\n"
        )
        self._pieces = [("".join(parts)).encode(), f"\r\n--{boundary}--\r\n".encode()]
        self._file = file
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._length = size + sum(map(len, self._pieces))
        self._head: bytes | None = self._pieces[0]
        self._tail: bytes | None = self._pieces[1]

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, of at most `size` bytes of the file; b"" at the end."""
        timeouts.current().mark_alive()
        if self._head:
            head, self._head = self._head, None
            return head
        if piece := self._file.read(size):
            return piece
        tail, self._tail = self._tail, None
        return tail or b""

"""The replies of a batch: its output and error files, read as a stream and found by their line."""

import json
import tempfile
from array import array
from collections.abc import Iterator
from typing import Any

from llmcli.batch.server.parts import Part
from llmcli.batch.server.service import Batch, Service
from llmcli.errors import LlmcliError, ProtocolError, ServerError, Truncated
from llmcli.system.files import records
from llmcli.system.text import one_line

_NONE = -1
# The longest line that is read, in bytes: an answer with images has some.
_LONGEST_LINE = 64 * 2**20


class Replies:
    """The replies to the requests of a part, on disk, by the lines of these in its file.

    `unknown` counts replies to requests that the part does not have, `again` those to requests that
    have one already, of which the first counts.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the object
        self._offsets = array("q", [_NONE]) * part.count
        self._end = 0
        self.found = self.unknown = self.again = 0

    @property
    def count(self) -> int:
        """Return the number of all replies, counted or not."""
        return self.found + self.unknown + self.again

    def add(self, text: bytes, where: str) -> None:
        """Add the reply that a line of a file is. Raises ProtocolError if it is none."""
        value = records.parse_record(text)
        if value is None or "custom_id" not in value:
            shown = one_line(text.decode(errors="replace"), 80)
            raise ProtocolError(f"{where} has a line that is not a reply: {shown}")
        line = self._part.line_of(value["custom_id"])
        if line is None:
            self.unknown += 1
        elif self._offsets[line] != _NONE:
            self.again += 1
        else:
            self._offsets[line] = self._end
            self._end += self._file.write(text.rstrip(b"\n") + b"\n")
            self.found += 1

    def reply_to(self, line: int) -> dict[str, Any] | None:
        """Return the reply to the request in a line; None if there is none."""
        if self._offsets[line] == _NONE:
            return None
        self._file.seek(self._offsets[line])
        value: dict[str, Any] = json.loads(self._file.readline())
        return value

    def warnings(self) -> Iterator[str]:
        """Yield a line for each kind of reply that was left out."""
        name = self._part.named()
        if self.unknown:
            yield f"warning: {name} has {self.unknown} replies to requests that it was not sent"
        if self.again:
            yield f"warning: {name} has {self.again} replies twice; the first counts"


def fetch_replies(service: Service, part: Part, batch: Batch) -> Replies:
    """Return the replies of a batch that is over.

    Raises ServerError for a file that is gone, ProtocolError for one that has something else than
    replies, Truncated for one that lacks some, and what a request raises.
    """

    def download() -> Replies:
        replies = Replies(part)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                _read(service, replies, file_id, f"file {file_id} of {part.named()}")
        missing = batch.completed + batch.failed - replies.count
        if batch.status == "completed" and missing > 0 and not batch.errors:
            problem = f"{part.named()}: {missing} replies are missing in its files"
            raise Truncated(problem, transient=True)
        return replies

    return service.persistently(download)


def _read(service: Service, replies: Replies, file_id: str, where: str) -> None:
    try:
        for text in _lines(service.content(file_id), where):
            replies.add(text, where)
    except LlmcliError as error:
        if error.status == 404:
            raise ServerError(f"{where} is gone (HTTP 404)", status=404) from None
        raise


def _lines(blocks: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Yield the lines of a file. Raises Truncated if the last one has no end."""
    begun = b""
    for block in blocks:
        *whole, begun = (begun + block).split(b"\n")
        for text in whole:
            if text.strip():
                yield text
        if len(begun) > _LONGEST_LINE:
            raise ProtocolError(f"{where} has a line longer than {_LONGEST_LINE // 2**20} MiB")
    if not begun.strip():
        return
    if records.parse_record(begun) is None and begun.lstrip().startswith(b"{"):
        raise Truncated(f"{where} ends inside a line", transient=True)
    yield begun

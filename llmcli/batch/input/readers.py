"""Records read as a stream: lines, JSON lines, CSV rows, files, requests of a batch file.

A record that is malformed carries its own error; it is not the end of the others.
"""

import csv
import glob
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from llmcli.api import strict_json as strict_json
from llmcli.chat.prompt import reading
from llmcli.chat.prompt.reading import Attachments
from llmcli.errors import BadRequest, LlmcliError, NoInput, UsageError
from llmcli.system.dataclass import dataclass, field
from llmcli.system.text import check_text, decoded

_BLOCK = 1 << 16
_HEAD = 64
_BOM = b"\xef\xbb\xbf"
FORMATS = ("lines", "jsonl", "csv")


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
class TooLong:
    """A record beyond the limit, of which only size and beginning are known."""

    size: int
    head: bytes


Pieces = Iterator[bytes | TooLong]


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

    def _whole(self, parts: Sequence[bytes], size: int) -> bytes | TooLong:
        self.taken += size + 1
        whole = b"".join(parts)
        return whole if size <= self.limit else TooLong(size, whole[:_HEAD])

    def too_long(self) -> BadRequest:
        return BadRequest(f"the record is larger than {self._limit_name} (--max-input)")

    def stat(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def text(self, piece: bytes | TooLong) -> str:
        """Raises BadRequest."""
        if isinstance(piece, TooLong):
            raise self.too_long()
        try:
            return decoded(piece.removesuffix(b"\r"), "the record")
        except BadRequest as error:
            error.hint = None  # its words are for whole files
            raise


def texts(source: Source, end: bytes) -> Iterator[Record]:
    """Each piece is a record; blank ones are none."""
    return _records(source, source.pieces(end), lambda text: Record(text, text))


def json_lines(source: Source) -> Iterator[Record]:
    return _records(source, source.pieces(b"\n"), _of_json)


def _of_json(text: str) -> Record:
    value = _parsed(text)
    shown = value if isinstance(value, str) else text
    return Record(value, shown, value if isinstance(value, dict) else {})


def _parsed(text: str) -> Any:
    try:
        return strict_json.parse(text)
    except ValueError as error:
        raise BadRequest(f"the record is not JSON: {error}") from None


def _records(source: Source, pieces: Pieces, read: Callable[[str], Record]) -> Iterator[Record]:
    for piece in pieces:
        if isinstance(piece, TooLong) or piece.strip():
            yield _guarded(source, piece, read)


def _guarded(source: Source, piece: bytes | TooLong, read: Callable[[str], Record]) -> Record:
    shown = piece.decode(errors="replace")[:200] if isinstance(piece, bytes) else None
    try:
        return read(source.text(piece))
    except LlmcliError as error:
        return Record(shown, problem=error)


def rows(source: Source) -> Iterator[Record]:
    """CSV with a header (RFC 4180). Raises BadRequest where that is none."""
    return _rows(source, source.pieces(b"\n"), ())


def guessed(source: Source, wanted: Sequence[str]) -> Iterator[Record]:
    """JSON lines, or CSV rows with the columns that are `wanted`, as the first line says.

    Raises UsageError where the rows have no such columns."""
    pieces = source.pieces(b"\n")
    first = next((p for p in pieces if isinstance(p, TooLong) or p.strip()), b"")
    everything = chain([first], pieces)
    head = (first.head if isinstance(first, TooLong) else first).removeprefix(_BOM).lstrip()
    if head.startswith(b"{"):
        yield from _records(source, everything, _of_json)
    elif head.startswith(b"["):
        raise UsageError("a JSON array is no records", hint="`jq -c '.[]'` makes them of it")
    elif first:
        yield from _rows(source, everything, wanted)


def _rows(source: Source, pieces: Pieces, wanted: Sequence[str]) -> Iterator[Record]:
    csv.field_size_limit(source.limit)
    problems: list[BadRequest] = []
    reader = csv.reader(_csv_lines(source, pieces, problems))
    header = [_readable(name.strip()) for name in next(filter(any, reader), [])]
    _check_header(header, wanted)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            problems.append(BadRequest(f"the row is no CSV: {error}"))
            row = []
        yield from (Record(None, problem=problem) for problem in problems)
        problems.clear()
        if row is None:
            return
        if row:
            yield _row(header, row)


def _check_header(header: Sequence[str], wanted: Sequence[str]) -> None:
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        raise UsageError(f"the CSV header names a column twice: {', '.join(header)[:200]}")
    for name in wanted:
        if name not in named:
            columns = ", ".join(header)[:200]
            hint = f"its columns are: {columns} (commas divide them; or use --format lines)"
            raise UsageError(f"the input has no column {name}", hint=hint)


def _row(header: Sequence[str], row: Sequence[str]) -> Record:
    value = dict(zip(header, row, strict=False))
    try:
        if len(row) != len(header):
            raise BadRequest(f"the row has {len(row)} columns, the header {len(header)}")
        for name, cell in value.items():
            check_text(cell, name)
    except BadRequest as error:
        shown = {name: _readable(cell) for name, cell in value.items()}
        return Record(shown, problem=error)
    return Record(value, json.dumps(value, ensure_ascii=False), value)


def _readable(cell: str) -> str:
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _csv_lines(source: Source, pieces: Pieces, problems: list[BadRequest]) -> Iterator[str]:
    """What is too long is none, and a problem."""
    for number, piece in enumerate(pieces):
        if isinstance(piece, TooLong):
            problems.append(source.too_long())
        else:
            line = piece if number else piece.removeprefix(_BOM)
            yield line.decode("utf-8", "surrogateescape") + "\n"


def files(patterns: Sequence[str]) -> list[str]:
    """The files that `patterns` name, each once, in the order of the patterns. Raises NoInput."""
    found: dict[str, None] = {}
    for pattern in patterns:
        names = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]
        named = [name for name in names if not os.path.isdir(name)]
        if not named:
            hint = "a pattern is quoted, as in --files 'src/*.py'; ~ is no part of one"
            raise NoInput(f"--files {pattern} names no file", hint=hint)
        found.update(dict.fromkeys(named))
    return list(found)


def of_files(names: Sequence[str], read: Callable[[str], bytes], places: bool) -> Iterator[Record]:
    """`places`: the prompt says where the text goes; else it stands in front, with its name."""
    for name in names:
        try:
            yield _of_file(name, read(name), places)
        except LlmcliError as error:
            yield Record(name, problem=error)


def _of_file(name: str, data: bytes, places: bool) -> Record:
    fields = {"path": name, "name": os.path.basename(name)}
    if part := reading.image(data):
        return Record(name, fields=fields, files=Attachments(images=(part,)))
    text = decoded(data, name)
    attached = Attachments() if places else Attachments(texts=(reading.named_text(name, text),))
    return Record(name, text.rstrip("\n"), fields, attached)


def requests(source: Source) -> Iterator[Record]:
    """OpenAI batch records: `fields` has the `body` of each."""
    return _records(source, source.pieces(b"\n"), _of_batch)


def _of_batch(text: str) -> Record:
    value = _parsed(text)
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        raise BadRequest("the record has no custom_id")
    try:
        _check_batch(value)
    except BadRequest as error:
        return Record(value, problem=error)
    return Record(value, fields=value)


def _check_batch(value: dict[str, Any]) -> None:
    body, url = value.get("body"), value.get("url", "/v1/chat/completions")
    if not isinstance(body, dict):
        raise BadRequest("the record has no body")
    if not str(url).endswith("/chat/completions"):
        raise BadRequest(f"the record is for {url}, not for chat completions")
    messages = body.get("messages")
    if not messages or not isinstance(messages, list):
        raise BadRequest("the body has no messages")
    if not all(isinstance(message, dict) for message in messages):
        raise BadRequest("a message of the body is no object")

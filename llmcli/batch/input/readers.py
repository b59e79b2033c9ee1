"""Records read as a stream: lines, JSON lines, CSV rows, files, requests of a batch file.

A record that is malformed carries its own error; it is not the end of the others.
"""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from llmcli.api import strict_json
from llmcli.batch.input.csv_rows import read_rows
from llmcli.batch.input.source import BOM, Oversized, Pieces, Record, Source
from llmcli.chat.prompt import content
from llmcli.chat.prompt.content import Attachments
from llmcli.errors import BadRequest, LlmcliError, NoInput, UsageError
from llmcli.system.text import decoded

FORMATS = ("lines", "jsonl", "csv")


def line_records(source: Source, end: bytes) -> Iterator[Record]:
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
        return strict_json.parse_json(text)
    except ValueError as error:
        raise BadRequest(f"the record is not JSON: {error}") from None


def _records(source: Source, pieces: Pieces, read: Callable[[str], Record]) -> Iterator[Record]:
    for piece in pieces:
        if isinstance(piece, Oversized) or piece.strip():
            yield _guarded(source, piece, read)


def _guarded(source: Source, piece: bytes | Oversized, read: Callable[[str], Record]) -> Record:
    shown = piece.decode(errors="replace")[:200] if isinstance(piece, bytes) else None
    try:
        return read(source.text(piece))
    except LlmcliError as error:
        return Record(shown, problem=error)


def guessed(source: Source, wanted: Sequence[str]) -> Iterator[Record]:
    """JSON lines, or CSV rows with the columns that are `wanted`, as the first line says.

    Raises UsageError where the rows have no such columns."""
    pieces = source.pieces(b"\n")
    first = next((p for p in pieces if isinstance(p, Oversized) or p.strip()), b"")
    everything = chain([first], pieces)
    head = (first.head if isinstance(first, Oversized) else first).removeprefix(BOM).lstrip()
    if head.startswith(b"{"):
        yield from _records(source, everything, _of_json)
    elif head.startswith(b"["):
        raise UsageError("a JSON array is no records", hint="`jq -c '.[]'` makes them of it")
    elif first:
        yield from read_rows(source, everything, wanted)


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
    if part := content.image(data):
        return Record(name, fields=fields, files=Attachments(images=(part,)))
    text = decoded(data, name)
    attached = Attachments() if places else Attachments(texts=(content.named_text(name, text),))
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

"""Readers of all kinds of records: lines, JSON lines, CSV rows, files, requests of a batch file.

They read only as far as records are asked for. A record that is malformed carries its error as its
`problem`, and the records after it are read all the same.
"""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llmcli.api import strict_json
from llmcli.batch.input.source import Oversized, Pieces, Record, Source
from llmcli.chat.prompt import content
from llmcli.chat.prompt.content import Attachments
from llmcli.errors import BadRequest, LlmcliError, NoInput, UsageError
from llmcli.system.text import BOM, decoded

# The values of --format.
FORMATS = ("lines", "jsonl", "csv")


def line_records(source: Source, end: bytes) -> Iterator[Record]:
    """Yield a record for each text that ends with `end`, a newline or NUL; skip blank ones."""
    return _records(source, source.pieces(end), lambda text: Record(text, text))


def json_lines(source: Source) -> Iterator[Record]:
    """Yield a record for each line, which must be JSON (https://jsonlines.org); skip blank ones."""
    return _records(source, source.pieces(b"\n"), _of_json)


def _of_json(text: str) -> Record:
    """Return the record of a JSON line: a JSON string is its own text, without the quotes."""
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
    try:
        return read(source.text(piece))
    except LlmcliError as error:
        shown = piece.decode(errors="replace")[:200] if isinstance(piece, bytes) else None
        return Record(shown, problem=error)


def first_line(source: Source) -> bytes:
    """Return the beginning of the first line that is not blank, without its mark; b"" if none."""
    pieces = source.pieces(b"\n")
    first = next((p for p in pieces if isinstance(p, Oversized) or p.strip()), b"")
    return (first.head if isinstance(first, Oversized) else first).removeprefix(BOM).strip()


def keys(source: Source) -> list[str]:
    """Return the keys of the first JSON line; none if that is not an object.

    Raises UsageError for JSON that is spread over several lines.
    """
    line = first_line(source)
    try:
        value = strict_json.parse_json(line.decode(errors="replace"))
    except ValueError:
        # A record that is only damaged ends otherwise.
        if line.endswith((b"{", b"[", b",", b":")):
            hint = "`jq -c .` makes one line of each object, `jq -c '.[]'` of each in an array"
            raise UsageError("the input must be JSON lines, one value a line", hint=hint) from None
        return []
    return list(value) if isinstance(value, dict) else []


def files(patterns: Sequence[str]) -> list[str]:
    """Return the names of the files that `patterns` match, each once.

    They come in the order of the patterns, and those of one pattern sorted. A file of that very
    name comes before the pattern, as in `app/[id].tsx`. Directories are left out. Raises NoInput
    for a pattern that matches no file.
    """
    matched: dict[str, None] = {}  # a dict, as it keeps the order and each name once
    for pattern in patterns:
        names = [pattern]
        if glob.has_magic(pattern) and not os.path.isfile(pattern):
            names = sorted(glob.glob(pattern, recursive=True))
        of_pattern = [name for name in names if not os.path.isdir(name)]
        if not of_pattern:
            hint = "** matches directories of any depth; ~ is not expanded"
            raise NoInput(f"--files {pattern} matches no file", hint=hint)
        matched.update(dict.fromkeys(of_pattern))
    return list(matched)


def of_files(
    names: Sequence[str], read: Callable[[str], bytes], *, has_places: bool
) -> Iterator[Record]:
    """Yield a record for each file, with the fields `path` and `name`; `read` returns its bytes.

    If `has_places`, the prompt says where the text goes. Otherwise the text stands in front of the
    prompt, in a tag with the file's name. An image is attached in either case.
    """
    for name in names:
        try:
            yield _of_file(name, read(name), has_places=has_places)
        except LlmcliError as error:
            yield Record(name, problem=error)


def _of_file(name: str, data: bytes, *, has_places: bool) -> Record:
    fields = {"path": name, "name": os.path.basename(name)}
    if part := content.part(name, data):
        return Record(name, fields=fields, files=Attachments(parts=(part,)))
    text = decoded(data, name)
    attached = Attachments()
    if not has_places:
        attached = Attachments(texts=(content.named_text(name, text),))
    return Record(name, text.rstrip("\n"), fields, attached)


def requests(source: Source) -> Iterator[Record]:
    """Yield a record for each request of an OpenAI batch file.

    Its fields are those of the line: `custom_id`, `body` and others. The format is described at
    https://platform.openai.com/docs/api-reference/batch/request-input.
    """
    return _records(source, source.pieces(b"\n"), _of_batch)


def _of_batch(text: str) -> Record:
    value = _parsed(text)
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        raise BadRequest("the record has no custom_id")
    try:
        _check_request(value)
    except BadRequest as error:
        # Not raised, so that the record keeps its custom_id and the result can name it.
        return Record(value, problem=error)
    return Record(value, fields=value)


def _check_request(value: dict[str, Any]) -> None:
    """Raise BadRequest for a request of a batch file that cannot be sent."""
    body, url = value.get("body"), value.get("url", "/v1/chat/completions")
    if not isinstance(body, dict):
        raise BadRequest("the record has no body")
    if not str(url).endswith("/chat/completions"):
        raise BadRequest(f"the record is for {url}, not for chat completions")
    messages = body.get("messages")
    if not messages or not isinstance(messages, list):
        raise BadRequest("the body has no messages")
    if not all(isinstance(message, dict) for message in messages):
        raise BadRequest("each message of the body must be a JSON object")

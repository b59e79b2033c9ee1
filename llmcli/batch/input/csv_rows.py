"""CSV rows as records (RFC 4180)."""

import csv
import json
from collections.abc import Iterator, Sequence

from llmcli.batch.input.source import BOM, Oversized, Pieces, Record, Source
from llmcli.errors import BadRequest, UsageError
from llmcli.system.text import check_text


def rows(source: Source) -> Iterator[Record]:
    """CSV with a header (RFC 4180). Raises BadRequest where that is none."""
    return read_rows(source, source.pieces(b"\n"), ())


def read_rows(source: Source, pieces: Pieces, wanted: Sequence[str]) -> Iterator[Record]:
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
        if isinstance(piece, Oversized):
            problems.append(source.too_long())
        else:
            line = piece if number else piece.removeprefix(BOM)
            yield line.decode("utf-8", "surrogateescape") + "\n"

"""Records read from CSV with a header (RFC 4180): each row is one, and each cell a field of it."""

import csv
import json
from collections.abc import Iterator, Sequence

from llmcli.batch.input.source import Oversized, Pieces, Record, Source
from llmcli.errors import BadRequest, UsageError
from llmcli.system.text import BOM, check_text


def rows(source: Source) -> Iterator[Record]:
    """Yield a record for each row below the header, as `read_rows` does."""
    return read_rows(source, source.pieces(b"\n"), ())


def read_rows(source: Source, pieces: Pieces, required: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each row below the header, which is the first row that is not empty.

    `pieces` are the lines of `source`. Rows that are empty are skipped; a row that is malformed
    becomes a Record with its problem. Raises UsageError for a header that names a column twice or
    lacks one of the `required` columns.
    """
    # Python's own limit of 128 KiB for a cell would refuse records that --max-input allows.
    csv.field_size_limit(source.limit)
    # `_csv_lines` adds to this list while the reader asks for lines in `next`, so it is looked at
    # after each row.
    problems: list[BadRequest] = []
    reader = csv.reader(_csv_lines(source, pieces, problems))
    header = [_readable(name.strip()) for name in next(filter(any, reader), [])]
    _check_header(header, required)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            problems.append(BadRequest(f"the row is not valid CSV: {error}"))
            row = []
        yield from (Record(None, problem=problem) for problem in problems)
        problems.clear()
        if row is None:
            return
        if row:
            yield _row(header, row)


def _check_header(header: Sequence[str], required: Sequence[str]) -> None:
    # A column without a name, as in `a,b,,`, cannot be asked for, so there may be several.
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        raise UsageError(f"the CSV header names a column twice: {', '.join(header)[:200]}")
    for name in required:
        if name not in named:
            columns = ", ".join(header)[:200]
            hint = f"its columns are: {columns} (separated by commas; or use --format lines)"
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
    """Return the cell with U+FFFD in the place of bytes that are not UTF-8."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _csv_lines(source: Source, pieces: Pieces, problems: list[BadRequest]) -> Iterator[str]:
    """Yield the lines for the CSV reader; for one that is too long, add to `problems` instead.

    Bytes that are not UTF-8 stand as lone surrogates, so that only the row which has them fails.
    """
    for number, piece in enumerate(pieces):
        if isinstance(piece, Oversized):
            problems.append(source.too_long())
        else:
            line = piece if number else piece.removeprefix(BOM)
            yield line.decode("utf-8", "surrogateescape") + "\n"

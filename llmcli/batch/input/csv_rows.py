"""Records read from CSV with a header (RFC 4180): each row is one, and each cell a field of it.

The standard library's reader is not used: a quote that is never closed makes one cell of the rest
of the input, and it does not tell a quote that stands where none may stand.
"""

import json
import re
from collections import deque
from collections.abc import Iterator

from llmcli.batch.input.csv_header import Header
from llmcli.batch.input.source import Oversized, Record, Source
from llmcli.errors import BadRequest
from llmcli.system.text import BOM, check_text

COMMA = ","
# Bytes of a quoted cell; what is longer is taken for a quote that nobody closed.
_LONGEST_CELL = 1 << 20
# What stands within quotes; a quote in it is doubled.
_INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')
# Characters of a cell that is never closed, as the results show it.
_SHOWN = 200

Row = list[bytes]


def header(source: Source, delimiter: str) -> Header:
    """Return the header, which is the first row that has more than blanks.

    Raises UsageError for a name that stands in it twice, BadRequest for a header that is not valid.
    """
    return _header(_Rows(source, delimiter).read())


def rows(source: Source, delimiter: str) -> Iterator[Record]:
    """Yield a record for each row below the header.

    Rows that are empty are skipped; a row that is malformed becomes a Record with its problem and
    with the cells that can be read. Raises what `header` raises.
    """
    found = _Rows(source, delimiter).read()
    header = _header(found)
    for row in found:
        if not isinstance(row, Record):
            yield _record(header, row)
        elif row.value is None:
            yield row
        else:
            yield row._replace(value=header.shown(row.value))


def _header(found: Iterator[Row | Record]) -> Header:
    first = next((row for row in found if isinstance(row, Record) or _says(row)), [])
    if isinstance(first, Record):
        assert first.problem is not None
        raise first.problem
    return Header([_readable(cell) for cell in first])


def _says(row: Row) -> bool:
    """Return whether there is more than blanks in `row`."""
    return any(map(bytes.strip, row))


def _record(header: Header, row: Row) -> Record:
    value = header.fields(map(_text, row))
    try:
        if len(row) != len(header.keys):
            raise BadRequest(f"the row has {len(row)} columns, the header {len(header.keys)}")
        for name, cell in value.items():
            check_text(cell, name)
    except BadRequest as error:
        shown = header.shown([_readable(cell) for cell in row])
        # The hint of the error is advice for a whole file, such as an image.
        return Record(shown, problem=BadRequest(error.message))
    return Record(value, json.dumps(value, ensure_ascii=False), value)


def _text(cell: bytes) -> str:
    """Return the cell with lone surrogates in the place of bytes that are not UTF-8."""
    return cell.decode("utf-8", "surrogateescape")


def _readable(cell: bytes) -> str:
    """Return the cell with U+FFFD in the place of bytes that are not UTF-8."""
    return cell.decode("utf-8", "replace")


class _Rows:
    """A reader of rows, which holds one row in memory, and at most one quoted cell after it."""

    def __init__(self, source: Source, delimiter: str) -> None:
        self._source = source
        self._lines = source.lines()
        self._delimiter = delimiter.encode()
        mark = re.escape(self._delimiter)
        self._bare = re.compile(rb"(?:(?!%s)[^\r\n])*+" % mark)
        self._end = re.compile(rb"%s|[\r\n]|\Z" % mark)
        # Lines that were read within quotes that nobody closed, to be read again.
        self._again: deque[bytes | Oversized] = deque()
        self._number = 0
        self._after_cr = False
        self._size = 0

    def read(self) -> Iterator[Row | Record]:
        """Yield the cells of each row, or a Record with the problem of a row.

        The value of such a record is the list of the cells that can be read, as text; None if none
        can.
        """
        while (line := self._next_line()) is not None:
            if isinstance(line, Oversized):
                yield Record(None, problem=self._source.too_long())
            elif line.strip(b"\r\n"):
                self._size = len(line)
                cells: Row = []
                try:
                    self._read_row(line, cells)
                except BadRequest as error:
                    yield Record([_readable(cell) for cell in cells], problem=error)
                else:
                    yield cells

    def _next_line(self) -> bytes | Oversized | None:
        line = self._again.popleft() if self._again else next(self._lines, None)
        # A CRLF that a read has cut in two is one line end.
        if not (line == b"\n" and self._after_cr):
            self._number += 1
        self._after_cr = isinstance(line, bytes) and line.endswith(b"\r")
        if isinstance(line, bytes) and self._number == 1:
            return line.removeprefix(BOM)
        return line

    def _read_row(self, line: bytes, cells: Row) -> None:
        """Add the cells of the row that begins with `line` to `cells`.

        Raises BadRequest for a cell that does not end as it must, after the beginning of its line
        was added in its place.
        """
        if b'"' not in line:
            cells += line.rstrip(b"\r\n").split(self._delimiter)
            return
        at = 0
        while True:
            if line.startswith(b'"', at):
                begun = line[at:].rstrip(b"\r\n")[:_SHOWN]
                try:
                    cell, line, at = self._quoted(line, at + 1)
                except BadRequest:
                    cells.append(begun)
                    raise
            else:
                bare = self._bare.match(line, at)
                assert bare is not None
                cell, at = bare[0], bare.end()
            cells.append(cell)
            if not line.startswith(self._delimiter, at):
                return
            at += len(self._delimiter)

    def _quoted(self, line: bytes, start: int) -> tuple[bytes, bytes, int]:
        """Return the cell whose text begins at `start`, the line in which it ends, and where.

        Raises BadRequest for a cell that does not end as it must; then the lines after that in
        which it began will be read again.
        """
        number, after_cr = self._number, self._after_cr
        parts: list[bytes] = []
        following: list[bytes | Oversized] = []
        size = 0
        while True:
            inside = _INSIDE.match(line, start)
            assert inside is not None
            parts.append(inside[0])
            size += len(inside[0])
            end = inside.end() + 1
            if size > _LONGEST_CELL or self._size > self._source.limit:
                break
            if end <= len(line):
                if self._end.match(line, end):
                    return b"".join(parts).replace(b'""', b'"'), line, end
                break
            more = self._next_line()
            if more is None:
                break
            following.append(more)
            if isinstance(more, Oversized):
                break
            self._size += len(more)
            line, start = more, 0
        self._again.extendleft(reversed(following))
        self._number, self._after_cr = number, after_cr
        if self._size > self._source.limit:
            raise self._source.too_long()
        problem = "a quoted cell begins that is not closed before a delimiter or a line end"
        raise BadRequest(f"line {number}: {problem}", hint='a quote within quotes is written ""')

"""Opening the input of `map`: which records the options ask for, and where they come from."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence

from llmcli.batch.input import csv_rows, readers
from llmcli.batch.input.source import Record, Source
from llmcli.batch.input.table import delimiter_of, table_of
from llmcli.batch.plan import Plan
from llmcli.chat.prompt import reading
from llmcli.config.map_options import InputOptions, MapOptions
from llmcli.errors import UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN


@dataclass(frozen=True)
class Records:
    """The records of the input, and a function that tells how much of the input has been read.

    `fraction_read` returns a number from 0 to 1; None where the size of the input is not known, as
    with a pipe. `columns` are those of CSV or the keys of the first JSON line, None for other
    records, and `names` what the header calls them. `total` is the number of records, None where it
    is not known.
    """

    records: Iterator[Record]
    fraction_read: Callable[[], float | None]
    columns: Sequence[str] | None = None
    names: Sequence[str] = ()
    total: int | None = None


def open_input(
    environment: Environment, options: MapOptions, plan: Plan, words: Sequence[str]
) -> Records:
    """Open what the options name and return its records.

    `words` are those of PROMPT. Raises UsageError for options that exclude each other, where stdin
    cannot be read, or for a prompt that names a missing column; NoInput for a file that cannot be
    read; BadRequest for text in UTF-16.
    """
    given = options.input
    _check(given)
    limit = reading.size(options.prompt.max_input)
    if given.files:
        return _files(environment, given.files, limit, has_places=plan.has_places)
    source = _source(environment, options, words, limit)
    if given.requests:
        return Records(readers.requests(source), _fraction_read(source))
    if given.null:
        source.by_nul = True
        return Records(readers.line_records(source, b"\0"), _fraction_read(source))
    table = table_of(source, plan, given.format, delimiter_of(given.delimiter))
    if table is None:
        records = readers.line_records(source, b"\n")
    elif table.format == "jsonl":
        records = readers.json_lines(source)
    else:
        records = csv_rows.rows(source, table.delimiter)
    if options.prompt.file and (plan.required_fields or table):
        records = _some(records, options.prompt.file[-1])
    if table is None:
        return Records(records, _fraction_read(source))
    return Records(records, _fraction_read(source), table.columns, table.names)


def _some(records: Iterator[Record], file: str) -> Iterator[Record]:
    """Yield the records; raise UsageError if there are none, as the user may have meant `file`."""
    first = next(records, None)
    if first is None:
        problem = "no records: the input is empty, and -f adds its file to each record"
        raise UsageError(problem, hint=f"give the records with < {file}")
    yield first
    yield from records


def _check(options: InputOptions) -> None:
    parted = options.format or options.null or options.delimiter
    given = [options.files, options.requests, parted]
    if sum(map(bool, given)) > 1:
        raise UsageError("--files, --requests and --format, --delimiter or -0 exclude each other")
    if options.format not in (None, *readers.FORMATS):
        known = ", ".join(readers.FORMATS)
        raise UsageError(f"--format must be one of {known}, not {options.format}")
    if options.null and options.format not in (None, "lines"):
        raise UsageError(f"-0 cannot be combined with --format {options.format}, only with lines")
    if options.delimiter is not None and (options.null or options.format not in (None, "csv")):
        raise UsageError("--delimiter is for CSV: it cannot be combined with another format")


def _source(
    environment: Environment, options: MapOptions, words: Sequence[str], limit: int
) -> Source:
    """Return the open file of --requests, or stdin where the name means that or is missing."""
    name, max_input = options.input.requests or "-", options.prompt.max_input
    if name not in reading.STDIN_NAMES:
        return Source(reading.open_file(name), name, limit, max_input)
    if options.prompt.no_stdin or STDIN in environment.closed:
        why = "-n forbids stdin" if options.prompt.no_stdin else "stdin is closed"
        raise UsageError(f"no records: {why}", hint="name files with --files 'PATTERN'")
    file = next((word for word in [*words[-1:], *words[:1]] if os.path.isfile(word)), None)
    meant = f"give the records with < {file}" if file else None
    if environment.is_terminal(STDIN):
        hint = "llmcli map 'Translate: {}' < lines.txt; see llmcli map --help"
        raise UsageError("no records: stdin is a terminal", hint=meant or hint)
    source = Source(STDIN, "stdin", limit, max_input)
    if meant and source.is_empty():
        raise UsageError(
            f"no records: stdin is empty, and the word {file} names a file", hint=meant
        )
    return source


def _files(
    environment: Environment, patterns: list[str], limit: int, *, has_places: bool
) -> Records:
    names = readers.files(patterns)
    read_so_far: list[str] = []

    def read(name: str) -> bytes:
        read_so_far.append(name)
        # An Input of its own for each file: the limit is that of a file, not of all together.
        return reading.Input(environment, limit, use_stdin=False).file(name)

    records = readers.of_files(names, read, has_places=has_places)
    return Records(records, lambda: len(read_so_far) / len(names), total=len(names))


def _fraction_read(source: Source) -> Callable[[], float | None]:
    about = source.stat()
    if not stat.S_ISREG(about.st_mode) or not about.st_size:
        return lambda: None
    # A file that grows while it is read would give more than 1.
    return lambda: min(source.taken / about.st_size, 1.0)

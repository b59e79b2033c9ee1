"""Opening the input of `map`: which records the options ask for, and where they come from."""

import stat
from collections.abc import Callable, Iterator

from llmcli.batch.input import csv_rows, readers
from llmcli.batch.input.source import Record, Source
from llmcli.batch.plan import Plan
from llmcli.chat.prompt import reading
from llmcli.config.map_options import InputOptions
from llmcli.errors import UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN


@dataclass(frozen=True)
class Records:
    """The records of the input, and a function that tells how much of the input has been read.

    `fraction_read` returns a number from 0 to 1; None where the size of the input is not known, as
    with a pipe.
    """

    records: Iterator[Record]
    fraction_read: Callable[[], float | None]


def open_input(
    environment: Environment, options: InputOptions, plan: Plan, max_input: str, *, use_stdin: bool
) -> Records:
    """Open what the options name and return its records.

    `max_input` is the value of --max-input, such as `64M`, for each record or file. Raises
    UsageError for options that exclude each other, or where stdin cannot be read; NoInput for a
    file that cannot be read.
    """
    _check(options)
    limit = reading.size(max_input)
    if options.files:
        return _files(environment, options.files, limit, has_places=plan.has_places)
    name = options.requests or "-"
    source = _source(environment, name, max_input, limit, use_stdin=use_stdin)
    if options.requests:
        records = readers.requests(source)
    else:
        records = _of_format(source, options, plan.required_fields)
    return Records(records, _fraction_read(source))


def _check(options: InputOptions) -> None:
    given = [options.files, options.requests, options.format or options.null]
    if sum(map(bool, given)) > 1:
        raise UsageError("--files, --requests and --format or -0 exclude each other")
    if options.format not in (None, *readers.FORMATS):
        known = ", ".join(readers.FORMATS)
        raise UsageError(f"--format must be one of {known}, not {options.format}")
    if options.null and options.format not in (None, "lines"):
        raise UsageError(f"-0 cannot be combined with --format {options.format}, only with lines")


def _of_format(source: Source, options: InputOptions, required: list[str]) -> Iterator[Record]:
    if options.null:
        return readers.line_records(source, b"\0")
    if options.format == "jsonl":
        return readers.json_lines(source)
    if options.format == "csv":
        return csv_rows.rows(source)
    # A prompt that names no fields has no use for the parts of a record, so nothing is guessed.
    if options.format == "lines" or not required:
        return readers.line_records(source, b"\n")
    return readers.guessed(source, required)


def _source(
    environment: Environment, name: str, max_input: str, limit: int, *, use_stdin: bool
) -> Source:
    """Return the open file `name`, or stdin where the name means that."""
    if name not in reading.STDIN_NAMES:
        return Source(reading.open_file(name), name, limit, max_input)
    if not use_stdin or STDIN in environment.closed:
        why = "stdin is closed" if use_stdin else "-n forbids stdin"
        raise UsageError(f"no records: {why}", hint="name files with --files 'PATTERN'")
    if environment.is_terminal(STDIN):
        hint = "llmcli map 'Translate: {}' < lines.txt; see llmcli map --help"
        raise UsageError("no records: stdin is a terminal", hint=hint)
    return Source(STDIN, "stdin", limit, max_input)


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
    return Records(records, lambda: len(read_so_far) / len(names))


def _fraction_read(source: Source) -> Callable[[], float | None]:
    about = source.stat()
    if not stat.S_ISREG(about.st_mode) or not about.st_size:
        return lambda: None
    # A file that grows while it is read would give more than 1.
    return lambda: min(source.taken / about.st_size, 1.0)

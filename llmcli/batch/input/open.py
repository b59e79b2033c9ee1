"""Where the records of `map` come from, as its options say."""

import stat
from collections.abc import Callable, Iterator

from llmcli.batch.input import csv_rows
from llmcli.batch.input import readers as records
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
    """`part`: how much of it has been read, from 0 to 1, where that is known."""

    records: Iterator[Record]
    part: Callable[[], float | None]


def open_input(
    environment: Environment, options: InputOptions, plan: Plan, max_input: str, use_stdin: bool
) -> Records:
    """Raises UsageError, NoInput."""
    _check(options)
    limit = reading.size(max_input)
    if options.files:
        return _files(environment, options.files, limit, plan.has_places)
    source = _source(environment, options.requests or "-", max_input, limit, use_stdin)
    if options.requests:
        found = records.requests(source)
    else:
        found = _of_format(source, options, plan.wanted)
    return Records(found, _part(source))


def _check(options: InputOptions) -> None:
    given = [options.files, options.requests, options.format or options.null]
    if sum(map(bool, given)) > 1:
        raise UsageError("--files, --requests and --format or -0 exclude each other")
    if options.format not in (None, *records.FORMATS):
        raise UsageError(f"--format {options.format} is none of {', '.join(records.FORMATS)}")
    if options.null and options.format not in (None, "lines"):
        raise UsageError("-0 separates texts; it goes with no other format")


def _of_format(source: Source, options: InputOptions, wanted: list[str]) -> Iterator[Record]:
    if options.null:
        return records.line_records(source, b"\0")
    if options.format == "jsonl":
        return records.json_lines(source)
    if options.format == "csv":
        return csv_rows.rows(source)
    if options.format == "lines" or not wanted:
        return records.line_records(source, b"\n")
    return records.guessed(source, wanted)


def _source(
    environment: Environment, name: str, max_input: str, limit: int, use_stdin: bool
) -> Source:
    if name not in reading.STDIN_NAMES:
        return Source(reading.open_file(name), name, limit, max_input)
    if not use_stdin or STDIN in environment.closed:
        why = "stdin is closed" if use_stdin else "-n forbids stdin"
        raise UsageError(f"no records: {why}", hint="name files by --files 'PATTERN'")
    if environment.is_terminal(STDIN):
        hint = "llmcli map 'Translate: {}' < lines.txt; see llmcli map --help"
        raise UsageError("no records on stdin, which is a terminal", hint=hint)
    return Source(STDIN, "stdin", limit, max_input)


def _files(environment: Environment, patterns: list[str], limit: int, places: bool) -> Records:
    names = records.files(patterns)
    read: list[str] = []

    def data(name: str) -> bytes:
        read.append(name)
        return reading.Input(environment, limit, use_stdin=False).file(name)

    return Records(records.of_files(names, data, places), lambda: len(read) / len(names))


def _part(source: Source) -> Callable[[], float | None]:
    about = source.stat()
    if not stat.S_ISREG(about.st_mode) or not about.st_size:
        return lambda: None
    return lambda: min(source.taken / about.st_size, 1.0)

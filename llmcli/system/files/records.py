"""Reading files of one JSON object a line, whose end a kill or a loss of power may have damaged.

A kill leaves the first part of a line at the end; a loss of power leaves zeros there, where a file
had grown but what was written to it had not reached the disk.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from llmcli.system.files.regular import open_regular

_BLOCK = 65536
# How a record of the ledger or of a session begins, however its JSON is spaced.
_HEADS = (b'{"version": ', b'{"version":', b'{"id": "')
Record = dict[str, Any]
# What a file is told to have that a loss of power has damaged.
ZEROS = "has zeros in it, as a loss of power leaves them"


class SoundEnd(NamedTuple):
    """Where the whole lines of a file end: `size` is how many bytes are to be kept.

    `lacks_newline` says that the last of them only lacks its newline, `had_zeros` that zeros
    follow.
    """

    size: int
    lacks_newline: bool
    had_zeros: bool


def sound_end(descriptor: int, size: int) -> SoundEnd:
    """Return where the whole lines of a file of `size` bytes end. Raise OSError."""
    text_end = _without_zeros(descriptor, size)
    blocks: list[bytes] = []
    start = text_end
    while start and not (blocks and b"\n" in blocks[-1]):
        begin = max(0, start - _BLOCK)
        blocks.append(os.pread(descriptor, start - begin, begin))
        start = begin
    last = b"".join(reversed(blocks)).rpartition(b"\n")[2]
    end = text_end - len(last) if is_torn(last) else text_end
    return SoundEnd(end, bool(last) and end == text_end, text_end < size)


def _without_zeros(descriptor: int, size: int) -> int:
    """Return the size of the file without the zeros at its end."""
    end = size
    while end:
        begin = max(0, end - _BLOCK)
        text = os.pread(descriptor, end - begin, begin).rstrip(b"\0")
        end = begin + len(text)
        if text:
            break
    return end


def is_torn(line: bytes) -> bool:
    """Return whether `line`, which has no newline, is the first part of a record of llmcli.

    Any other text was put there by somebody else, and must stay.
    """
    is_ours = any(line.startswith(head[: len(line)]) for head in _HEADS)
    return bool(line) and is_ours and parse_record(line) is None


def parse_record(line: bytes) -> Record | None:
    """Return the JSON object that `line` consists of; None if it is anything else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_records(path: Path, damaged: Callable[[], None]) -> Iterator[tuple[int, Record | None]]:
    """Yield the number of each line, counted from 1, and its record.

    The record is None for a line that is not a JSON object. Blank lines and a torn last line are
    left out; so are zeros, and a line that is torn in front of them, for which `damaged` is called.
    Raise OSError if the file cannot be read.
    """
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            # JSON has no zeros. Versions before 0.2 ended a line behind them, and went on.
            text = line.strip(b"\0\n") if b"\0" in line else line
            if text is not line:
                damaged()
            record = parse_record(text)
            is_whole = text.endswith(b"\n") or not is_torn(text)
            if record is not None or (text.strip() and is_whole):
                yield number, record

"""Checkpoints: what the lines of a ledger file say so far, so that each line is read only once.

A checkpoint is a file beside the ledger, and only a cache: if it does not fit the ledger, or is
damaged, all lines are read again.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from llmcli.system.files.atomic_file import replace_file
from llmcli.system.files.regular import read_regular

# Bytes that must be new in the ledger before a checkpoint is written again: a few lines are read
# faster than it is written.
_EVERY = 65536
# Bytes of the ledger that a checkpoint quotes, to show which ledger it was made from.
_PROOF = 48
# The errors that a checkpoint can raise that is damaged or was written by another program.
MISFITS = (
    *(OSError, ValueError, LookupError, TypeError),
    *(AttributeError, ArithmeticError, RecursionError),
)


class CheckpointKind(NamedTuple):
    """A kind of checkpoints: the end of their name, and a version; another version is ignored."""

    suffix: str
    version: int


def load(path: Path, file: BinaryIO, zone: str, kind: CheckpointKind) -> dict[str, Any] | None:
    """Return the checkpoint of the ledger at `path`, open as `file`; None if it does not fit.

    It has `offset`, up to which the ledger was read, and what `save` was given. `zone` is the name
    of the time zone by whose days it must count. Raise one of MISFITS for a damaged one.
    """
    saved: dict[str, Any] = json.loads(read_regular(path.with_suffix(kind.suffix)))
    offset, proof = saved["offset"], saved["proof"]
    fits = (saved["version"], saved["zone"]) == (kind.version, zone) and isinstance(offset, int)
    if not fits or not proof.endswith("\n") or _proof(file, offset) != proof:
        return None
    return saved


def save(
    path: Path,
    file: BinaryIO,
    zone: str,
    kind: CheckpointKind,
    content: dict[str, Any],
    begun_at: int,
) -> None:
    """Write the checkpoint of a ledger, if much was read since the last, which ended at `begun_at`.

    `content` is JSON with the `offset` up to which the ledger was read. A directory that cannot be
    written has no checkpoint.
    """
    offset = content["offset"]
    if offset - begun_at <= _EVERY:
        return
    about = {"version": kind.version, "zone": zone, "proof": _proof(file, offset)}
    with suppress(OSError):
        text = json.dumps({**about, **content}, default=str)
        replace_file(path.with_suffix(kind.suffix), text.encode())


def _proof(file: BinaryIO, offset: int) -> str:
    """Return the bytes of the ledger before `offset`, by which a checkpoint knows its ledger.

    If the ledger was cut or replaced since, other bytes stand there.
    """
    start = max(0, offset - _PROOF)
    return os.pread(file.fileno(), offset - start, start).decode(errors="replace")

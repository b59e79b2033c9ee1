"""Commands run side by side: each once a round, in an order that changes, after a warm-up."""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_STOPWATCH = Path(__file__).with_name("stopwatch.py")
Ends = Callable[[], tuple[int, int]]


@dataclass(frozen=True)
class Command:
    """`environment` is all that the command gets: nothing of this machine's."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: Path | None = None


@dataclass(frozen=True)
class Run:
    """Times are of time.monotonic_ns(), which processes share; `memory` is the peak in bytes."""

    begin: int
    end: int
    cpu: float
    memory: int
    code: int
    reads: list[tuple[int, bytes]] = field(repr=False)

    @property
    def seconds(self) -> float:
        return (self.end - self.begin) / 1e9

    @property
    def output(self) -> bytes:
        return b"".join(data for _, data in self.reads)


def records() -> tuple[int, int]:
    """For stdout: one read gives one write."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours.detach(), theirs.detach()


def nowhere() -> tuple[int, int]:
    """For stdout: nobody reads it, so nobody takes CPU time for that."""
    return os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)


def run(command: Command, ends: Ends = os.pipe) -> Run:
    """Raises RuntimeError with its stderr if it fails."""
    ours, theirs = ends()
    report, reporting = os.pipe()
    with tempfile.TemporaryFile() as errors, open(command.stdin or os.devnull, "rb") as stdin:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _STOPWATCH, str(reporting), *command.arguments],
            env=command.environment,
            stdin=stdin,
            stdout=theirs,
            stderr=errors,
            pass_fds=[reporting],
        )
        os.close(theirs)
        os.close(reporting)
        reads = []
        while data := os.read(ours, 1 << 18):
            reads.append((time.monotonic_ns(), data))
        os.close(ours)
        with open(report, "rb") as file:
            measured = json.loads(file.read() or b'{"code": null}')
        process.wait()
        if measured["code"] != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            raise RuntimeError(f"{command.arguments}: exit code {measured['code']}\n{said}")
    return Run(**measured, reads=reads)


def side_by_side(
    commands: Mapping[str, Command], runs: int, ends: Ends = os.pipe
) -> dict[str, list[Run]]:
    """The first run of each writes .pyc files and fills the disk's cache; it does not count."""
    for command in commands.values():
        run(command, ends)
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(runs):
        for name in random.sample(list(commands), len(commands)):
            found[name].append(run(commands[name], ends))
    return found


def median_seconds(found: Mapping[str, list[Run]]) -> dict[str, float]:
    return {name: statistics.median(run.seconds for run in runs) for name, runs in found.items()}


def parsing(path: Path) -> float:
    """CPU seconds of json.loads of each line of a file: the floor of what reads it."""
    begin = time.process_time()
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
    return time.process_time() - begin

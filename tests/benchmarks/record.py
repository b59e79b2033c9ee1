"""What a record of `llmcli map` costs in CPU time, beside scripts that only ask."""

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Command, Run, median_seconds, nowhere, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

_AT_ONCE, _SLOW = Plan(), Plan(wait=0.2)
_JOBS, _MANY_JOBS = 16, 128
_BASE = "aiohttp, a script, not streamed"


def main(options: Options) -> None:
    few, many = (100, 600) if options.quick else (500, 4_500)
    runs = min(options.runs, 7)
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        _cpu(clients, (few, many), runs)
        _many_at_once(clients, _MANY_JOBS * (2 if options.quick else 15), runs)


def _cpu(clients: Clients, counts: tuple[int, int], runs: int) -> None:
    few, many = (_lines(clients, count) for count in counts)
    commands = {
        f"{name}, {size}": replace(command, stdin=lines)
        for name, command in _clients(clients, _AT_ONCE, _JOBS).items()
        for size, lines in (("few", few), ("many", many))
    }
    found = side_by_side(commands, runs, nowhere)
    names = _clients(clients, _AT_ONCE, _JOBS)
    cpu = {
        name: (_cpu_of(found[f"{name}, few"]), _cpu_of(found[f"{name}, many"])) for name in names
    }
    more = {name: (many - few) / (counts[1] - counts[0]) for name, (few, many) in cpu.items()}
    whole = {name: many / counts[1] for name, (_, many) in cpu.items()}
    report.heading(
        f"CPU time of a record, {_JOBS} at a time, from a server that answers at once",
        f"Of a run of {counts[1]:,} records, and what it takes more than one of {counts[0]:,}, "
        f"where the start of the program is left out. Medians of {runs} runs in turns.",
    )
    rows = [
        (
            name,
            report.milliseconds(whole[name], 2),
            report.ratio(whole[name] / whole[_BASE]),
            report.milliseconds(more[name], 2),
            report.ratio(more[name] / more[_BASE]),
        )
        for name in names
    ]
    report.table(("client", "CPU ms", "/ aiohttp", "without start", "/ aiohttp"), rows)


def _many_at_once(clients: Clients, count: int, runs: int) -> None:
    lines = _lines(clients, count)
    commands = {
        name: replace(command, stdin=lines)
        for name, command in _clients(clients, _SLOW, _MANY_JOBS).items()
    }
    found = side_by_side(commands, runs, nowhere)
    base = statistics.median(run.seconds for run in found["bare threads over requests"])
    report.heading(
        f"{count:,} records, {_MANY_JOBS} at a time, from a server that takes 200 ms",
        "From start to end, beside bare threads over requests.",
    )
    rows = [(name, f"{seconds:.2f}", report.ratio(seconds / base))
            for name, seconds in median_seconds(found).items()]  # fmt: skip
    report.table(("client", "s", "/ bare threads"), rows)


def _clients(clients: Clients, plan: Plan, jobs: int) -> dict[str, Command]:
    mapped = ("map", "-j", str(jobs))
    return {
        "llmcli map": clients.llmcli(plan, *mapped, "Q {}"),
        "llmcli map --no-stream": clients.llmcli(plan, *mapped, "--no-stream", "Q {}"),
        "aiohttp, a script": clients.aiohttp(plan, jobs),
        _BASE: clients.aiohttp(plan, jobs, "no-stream"),
        "bare threads over requests": clients.threads(plan, jobs),
        "bare threads, not streamed": clients.threads(plan, jobs, "no-stream"),
    }


def _lines(clients: Clients, count: int) -> Path:
    path = clients.home / f"lines-{count}"
    path.write_text("".join(f"{number}\n" for number in range(count)))
    return path


def _cpu_of(runs: list[Run]) -> float:
    return statistics.median(run.cpu for run in runs)

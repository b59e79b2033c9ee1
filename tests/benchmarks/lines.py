"""`llmcli map`: a request for each line of stdin, J of them at a time."""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Command, Run, nowhere, run
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

_SLOW, _QUICK = Plan(wait=0.2), Plan()
_AT_A_TIME = (8, 32, 128, 256)
_ALL = 10_000
_SECONDS = 15  # that a row takes at best, unless all records are wanted; start-up is in it
_BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Q {}"}]}'


@dataclass(frozen=True)
class _Job:
    """A way to ask for each line. A slow one gets a `share` of the lines, and `most` at a time."""

    name: str
    command: Callable[[Plan, int], Command]
    share: float = 1
    most: int = max(_AT_A_TIME)


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        if not run(clients.llmcli(_QUICK, "map", "--help")).output.startswith(b"Usage: llmcli map"):
            print("\nmap: skipped, as this llmcli has no such command")
            return
        _against_the_ideal(clients, options)
        _memory(clients, options)


def _jobs(clients: Clients) -> list[_Job]:
    def mapped(*more: str) -> Callable[[Plan, int], Command]:
        return lambda plan, jobs: clients.llmcli(plan, "map", "-j", str(jobs), *more, "Q {}")

    def threads(*more: str) -> Callable[[Plan, int], Command]:
        return lambda plan, jobs: clients.threads(plan, jobs, *more)

    def curl(plan: Plan, jobs: int) -> Command:
        return _xargs(clients.curl(plan, body=_BODY), jobs)

    def llm(plan: Plan, jobs: int) -> Command:
        # Without its log, as many at once may find that locked.
        return _xargs(clients.llm(plan, "--no-log", "-m", "m", "Q {}"), jobs)

    return [
        _Job("llmcli map", mapped()),
        _Job("llmcli map --no-stream", mapped("--no-stream")),
        _Job("bare threads over requests", threads()),
        _Job("bare threads, not streamed", threads("no-stream")),
        _Job("xargs curl", curl),
        _Job("xargs llm", llm, share=0.05, most=8),
    ]


def _xargs(command: Command, jobs: int) -> Command:
    return replace(command, arguments=("xargs", "-P", str(jobs), "-I{}", *command.arguments))


def _against_the_ideal(clients: Clients, options: Options) -> None:
    report.heading(
        "A request for each line, from a server that takes 200 ms",
        "The ideal is lines times 200 ms, over J. One run of each, to /dev/null. CPU time is per "
        "request. Cores are those that both kept busy: all of them, and they are the limit. "
        "Memory is that of the largest process; of curl and llm J run at once.",
    )
    rows = []
    for jobs in _AT_A_TIME:
        for job in (job for job in _jobs(clients) if jobs <= job.most):
            lines = max(jobs, int(_lines(jobs, options) * job.share))
            ideal = lines * _SLOW.wait / jobs
            rows.append(
                (f"{job.name}, J={jobs}", f"{lines:,}", *_row(clients, job, jobs, lines, ideal))
            )
    header = ("client", "lines", "/ ideal", "s", "CPU ms", "server CPU ms", "cores", "peak MiB")
    report.table(header, rows)


def _lines(jobs: int, options: Options) -> int:
    if options.full:
        return _ALL
    return jobs if options.quick else min(_ALL, int(_SECONDS * jobs / _SLOW.wait))


def _row(clients: Clients, job: _Job, jobs: int, lines: int, ideal: float) -> list[str]:
    _run(clients, job.command(_SLOW, 1), 1)  # the warm-up
    done, server = _run(clients, job.command(_SLOW, jobs), lines)
    return [
        report.ratio(done.seconds / ideal),
        f"{done.seconds:.1f}",
        report.milliseconds(done.cpu / lines, 2),
        report.milliseconds(server / lines, 2),
        report.ratio((done.cpu + server) / done.seconds),
        report.mebibytes(done.memory),
    ]


def _run(clients: Clients, command: Command, lines: int) -> tuple[Run, float]:
    """The run, and the server's CPU seconds. Raises ValueError if a line was not asked."""
    stdin = clients.home / "lines"
    stdin.write_text("".join(f"{number}\n" for number in range(lines)))
    before = clients.endpoint.used()
    done = run(replace(command, stdin=stdin), nowhere)
    after = clients.endpoint.used()
    if after.requests - before.requests != lines:
        raise ValueError(f"{after.requests - before.requests} requests for {lines} lines")
    return done, after.cpu - before.cpu


def _memory(clients: Clients, options: Options) -> None:
    counts = (100, 1_000) if options.quick else (1_000, 100_000 if options.full else 10_000)
    jobs = 32
    rows = []
    for count in counts:
        runs = 1 if count > 1_000 else 3
        command = clients.llmcli(_QUICK, "map", "-j", str(jobs), "Q {}")
        each = [_run(clients, command, count)[0] for _ in range(runs)]
        memory = statistics.median(one.memory for one in each)
        rate = count / statistics.median(one.seconds for one in each)
        rows.append((f"{count:,}", report.mebibytes(memory), f"{rate:,.0f}"))
    report.heading(f"llmcli map -j {jobs}, from a server that answers at once")
    report.table(("lines", "peak MiB", "lines/s"), rows)

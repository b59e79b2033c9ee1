"""Long answers, and single events that are large."""

import statistics
import tempfile
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Command, Run, nowhere, run, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

_MANY, _FEWER = Plan(events=200_000), Plan(events=20_000)
_SIZES = (1, 4, 16, 64)


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        _check(clients.llmcli(_FEWER), _FEWER)
        _events(clients, options.runs, _FEWER, llm=True)
        if not options.quick:
            _events(clients, options.runs, _MANY, llm=options.full)
        _large_events(clients, options.runs)


def _check(command: Command, plan: Plan) -> None:
    """What is thrown away while time is taken is the whole answer."""
    if len(run(command).output.rstrip()) != plan.events * plan.size - 1:
        raise ValueError("the answer is not whole")


def _events(clients: Clients, runs: int, plan: Plan, llm: bool) -> None:
    alone = clients.endpoint.alone(plan, runs)
    report.heading(
        f"An answer of {plan.events:,} events, start to end",
        f"To /dev/null. The server alone, read by a bare socket: {alone * 1000:.0f} ms.",
    )
    commands = {
        "curl": clients.curl(plan),
        "llmcli": clients.llmcli(plan),
        "a bare relay in Python": clients.relay(plan),
        "the same, by sseclient-py": clients.relay(plan, "with-sseclient"),
    }
    if llm:
        commands["llm"] = clients.llm(plan)
    found = side_by_side(commands, runs, nowhere)
    base = statistics.median(one.seconds for one in found["curl"])
    rows = [(name, *_figures(of, base)) for name, of in found.items()]
    report.table(("client", "/ curl", "s", "CPU s", "peak MiB"), rows)


def _figures(runs: list[Run], base: float) -> list[str]:
    seconds = statistics.median(one.seconds for one in runs)
    cpu = statistics.median(one.cpu for one in runs)
    memory = statistics.median(one.memory for one in runs)
    return [report.ratio(seconds / base), f"{seconds:.2f}", f"{cpu:.2f}", report.mebibytes(memory)]


def _large_events(clients: Clients, runs: int) -> None:
    plans = {size: Plan(events=1, size=size << 20) for size in _SIZES}
    commands = {f"llmcli {size}": clients.llmcli(plan) for size, plan in plans.items()}
    commands |= {f"curl {size}": clients.curl(plan) for size, plan in plans.items()}
    commands |= {"llmcli 0": clients.llmcli(Plan(events=1))}
    found = side_by_side(commands, runs, nowhere)
    seconds = {who: statistics.median(one.seconds for one in of) for who, of in found.items()}
    memory = {who: statistics.median(one.memory for one in of) for who, of in found.items()}
    small = seconds["llmcli 0"]
    rows = [
        (
            f"{size} MiB",
            report.ratio(seconds[f"llmcli {size}"] / seconds[f"curl {size}"]),
            report.milliseconds(seconds[f"llmcli {size}"]),
            report.milliseconds((seconds[f"llmcli {size}"] - small) / size),
            report.mebibytes(memory[f"llmcli {size}"]),
        )
        for size in _SIZES
    ]
    report.heading(
        "An answer in one event, start to end",
        f"To /dev/null; a small event takes {report.milliseconds(small)} ms.",
    )
    report.table(("event", "/ curl", "ms", "ms/MiB above a small one", "peak MiB"), rows)

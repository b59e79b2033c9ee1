"""What each short way wins: llmcli with it, without it, and without all of them."""

import statistics
import tempfile
from pathlib import Path

from llmcli.system.short_ways import NAMES
from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Command, Run, nowhere, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

# What the user waits for: a small completion, at once and from a server that needs 50 ms for its
# first token, a long one, and a long one each event of which has a field that changes.
_PLANS = (Plan(), Plan(wait=0.05), Plan(events=20_000), Plan(events=20_000, changing=1))
_ALL = "all short ways"
# Those that a completion does not take: `_print_version` and the part `resume` have them.
_ELSEWHERE = ("version", "result-lines")


def main(options: Options) -> None:
    """Print a table for each plan, and one for --version."""
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        for plan in _PLANS:
            found = side_by_side(_commands(clients, plan), options.runs, nowhere)
            after = f" after {plan.wait * 1000:.0f} ms" if plan.wait else ""
            each = ", each with a field that changes" if plan.changing else ""
            report.heading(f"Short ways: {plan.events:,} events{each}{after}, start to end")
            _print(found)
    _print_version(clients, options.runs)


def _print_version(clients: Clients, runs: int) -> None:
    commands = {
        _ALL: clients.llmcli(_PLANS[0], "--version"),
        "without version": clients.llmcli(_PLANS[0], "--version", LLMCLI_SHORT=without("version")),
    }
    report.heading("Short ways: --version, start to end")
    _print(side_by_side(commands, runs, nowhere))


def _commands(clients: Clients, plan: Plan) -> dict[str, Command]:
    ways = [name for name in NAMES if name not in _ELSEWHERE]
    return {
        _ALL: clients.llmcli(plan),
        **{f"without {way}": clients.llmcli(plan, LLMCLI_SHORT=without(way)) for way in ways},
        "without any": clients.llmcli(plan, LLMCLI_SHORT="0"),
    }


def without(way: str) -> str:
    """The value of LLMCLI_SHORT for all short ways but one."""
    return ",".join(name for name in NAMES if name != way)


def _print(found: dict[str, list[Run]]) -> None:
    seconds = {who: statistics.median(run.seconds for run in runs) for who, runs in found.items()}
    report.ratios("llmcli", seconds, _ALL)

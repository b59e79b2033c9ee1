"""`llmcli map` with a budget and without one, beside a ledger that is short or long."""

import json
import statistics
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import median_seconds, nowhere, parsing, run, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

_LIMITS = '{"day": 1000, "month": 1000, "tag": {"t1": {"day": 500}}}'
_PRICES = '{"*": {"prompt": 1, "completion": 1}}'
_DAYS, _TAGS, _MODELS = 28, 7, 5


def main(options: Options) -> None:
    requests, records = (2_000, 100) if options.quick else (500_000, 3_000)
    rounds = min(options.runs, 5)
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        stdin = Path(home, "lines")
        stdin.write_text("".join(f"{number}\n" for number in range(records)))
        rows = [_row(clients, stdin, size, records, rounds) for size in (0, requests)]
    report.heading(
        "llmcli map with a budget, from a server that answers at once",
        f"{records:,} records, 8 at a time; medians of {rounds} runs in turns. The first run with "
        "a budget reads the ledger: what it takes more is beside json.loads of each line.",
    )
    header = ("ledger", "without /s", "with /s", "ratio", "first / json.loads", "peak MiB")
    report.table(header, rows)


def _row(clients: Clients, stdin: Path, size: int, records: int, rounds: int) -> list[str]:
    state = clients.home / f"state-{size}"
    ledger = _fill(state, size)
    parsed = parsing(ledger)
    plain = clients.llmcli(
        Plan(), "map", "-j", "8", "--max-tokens", "10", "Q {}",
        XDG_STATE_HOME=str(state), LLMCLI_PRICES=_PRICES,
    )  # fmt: skip
    without = replace(plain, stdin=stdin)
    limited = replace(without, environment={**plain.environment, "LLMCLI_BUDGET": _LIMITS})
    run(without, nowhere)
    first = run(limited, nowhere)
    found = side_by_side({"without": without, "with": limited}, rounds, nowhere)
    seconds = median_seconds(found)
    cpu = statistics.median(one.cpu for one in found["with"])
    return [
        f"{size:,} requests",
        *(f"{records / seconds[name]:,.0f}" for name in found),
        report.ratio(seconds["without"] / seconds["with"]),
        report.ratio((first.cpu - cpu) / parsed) if size else "-",
        report.mebibytes(first.memory),
    ]


def _fill(state: Path, requests: int) -> Path:
    """Write a ledger of this month, and return its path.

    All that a day, a tag and a model have in common is a sum.
    """
    month = f"{datetime.now(UTC):%Y-%m}"
    path = state / f"llmcli/ledger/{month}.jsonl"
    path.parent.mkdir(parents=True)
    (state / "llmcli").chmod(0o700)
    with path.open("w") as file:
        for number in range(requests):
            about = {
                "time": f"{month}-{number % _DAYS + 1:02}T10:00:00Z",
                "model": f"m{number // (_DAYS * _TAGS) % _MODELS}",
                "command": "map",
                "tag": f"t{number // _DAYS % _TAGS}",
                "session": f"s{number}",
            }
            for event, more in (
                ("intent", {"estimate_usd": 1e-6}),
                ("settled", {"exit": "ok", "cost_usd": 1e-6}),
            ):
                head = {"id": f"{number:016x}", "event": event}
                file.write(json.dumps({**head, **about, **more}) + "\n")
    return path

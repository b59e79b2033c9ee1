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
from tests.benchmarks.measure import Command, nowhere, run
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

_LIMITS = '{"day": 1000, "month": 1000, "tag": {"t1": {"day": 500}}}'
_PRICES = '{"*": {"prompt": 1, "completion": 1}}'
_DAYS, _TAGS, _MODELS = 28, 7, 5


def main(options: Options) -> None:
    requests, records = (2_000, 100) if options.quick else (500_000, 3_000)
    report.heading(
        "llmcli map with a budget, from a server that answers at once",
        f"{records:,} records, 8 at a time; the first run with a ledger reads it, and is left out.",
    )
    rows = []
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        stdin = Path(home, "lines")
        stdin.write_text("".join(f"{number}\n" for number in range(records)))
        plain = clients.llmcli(Plan(), "map", "-j", "8", "--max-tokens", "10", "Q {}")
        for size in (0, requests):
            state = Path(home, f"state-{size}")
            _fill(state, size)
            more = {"XDG_STATE_HOME": str(state), "LLMCLI_PRICES": _PRICES}
            without = replace(plain, environment={**plain.environment, **more}, stdin=stdin)
            limited = {**without.environment, "LLMCLI_BUDGET": _LIMITS}
            rates = [_rate(one, options.runs, records)
                     for one in (without, replace(without, environment=limited))]  # fmt: skip
            shown = (f"{rate:,.0f}" for rate in rates)
            rows.append((f"{size:,} requests", *shown, report.ratio(rates[1] / rates[0])))
    report.table(("ledger", "without /s", "with /s", "with / without"), rows)


def _rate(command: Command, runs: int, records: int) -> float:
    run(command, nowhere)
    seconds = [run(command, nowhere).seconds for _ in range(min(runs, 5))]
    return records / statistics.median(seconds)


def _fill(state: Path, requests: int) -> None:
    """Write a ledger of this month: all that a day, a tag and a model have in common is a sum."""
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

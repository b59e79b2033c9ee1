"""`llmcli map --resume` over a FILE that has all answers, beside json.loads of its lines."""

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Command, nowhere, parsing, run
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan
from tests.benchmarks.short_ways import without

_RECORD = "This is complaint number {} of a customer, of the length that they usually have.\n"
_ROUNDS = 3


def main(options: Options) -> None:
    counts = (
        (1_000,) if options.quick else (10_000, 100_000, *((1_000_000,) if options.full else ()))
    )
    report.heading(
        "llmcli map --resume, all records done",
        "The answers come from a run of map; the CPU time is beside that of json.loads of each "
        "line, and of llmcli without the short way. Medians of three, in turns.",
    )
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        rows = [_row(clients, count) for count in counts]
    header = ("records", "json.loads s", "resume s", "ratio", "ratio, long way", "peak MiB")
    report.table(header, rows)


def _row(clients: Clients, count: int) -> list[str]:
    stdin, out = clients.home / "lines", clients.home / f"out-{count}"
    stdin.write_text("".join(map(_RECORD.format, range(count))))

    def command(**more: str) -> Command:
        asked = clients.llmcli(
            Plan(), "map", "--json", "--no-ledger", "--no-stream", "-j", "16", "-O", str(out),
            "--resume", "{}", **more,
        )  # fmt: skip
        return replace(asked, stdin=stdin)

    short, long = command(), command(LLMCLI_SHORT=without("result-lines"))
    run(short, nowhere)
    runs = [(parsing(out), run(short, nowhere), run(long, nowhere)) for _ in range(_ROUNDS)]
    plain = statistics.median(parsed for parsed, *_ in runs)
    again = statistics.median(one.cpu for _, one, _ in runs)
    parsed_whole = statistics.median(one.cpu for *_, one in runs)
    return [
        f"{count:,}",
        f"{plain:.2f}",
        f"{again:.2f}",
        report.ratio(again / plain),
        report.ratio(parsed_whole / plain),
        report.mebibytes(max(one.memory for _, one, _ in runs)),
    ]

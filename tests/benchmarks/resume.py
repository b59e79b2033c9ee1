"""`llmcli map --resume` over a FILE that has all answers, beside json.loads of its lines."""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import nowhere, run
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan

_RECORD = "This is complaint number {} of a customer, of the length that they usually have.\n"


def main(options: Options) -> None:
    counts = (
        (1_000,) if options.quick else (10_000, 100_000, *((1_000_000,) if options.full else ()))
    )
    report.heading(
        "llmcli map --resume, all records done",
        "The answers come from a run of map; the time is beside that of json.loads of each line.",
    )
    rows = []
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        for count in counts:
            stdin, out = Path(home, "lines"), Path(home, f"out-{count}")
            stdin.write_text("".join(map(_RECORD.format, range(count))))
            command = clients.llmcli(
                Plan(), "map", "--json", "--no-ledger", "--no-stream", "-j", "16", "-O", str(out),
                "--resume", "{}",
            )  # fmt: skip
            command = replace(command, stdin=stdin)
            run(command, nowhere)
            plain = _parsed(out)
            again = run(command, nowhere)
            ratio = report.ratio(again.seconds / plain)
            memory = report.mebibytes(again.memory)
            rows.append((f"{count:,}", f"{plain:.2f}", f"{again.seconds:.2f}", ratio, memory))
    report.table(("records", "json.loads s", "resume s", "ratio", "peak MiB"), rows)


def _parsed(path: Path) -> float:
    begin = time.perf_counter()
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
    return time.perf_counter() - begin

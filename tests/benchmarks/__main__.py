"""`python -m tests.benchmarks [NAME…]`: all parts, or those that are named."""

import argparse
from collections.abc import Callable

from tests.benchmarks import (
    breaks,
    budget,
    calls,
    installed,
    interrupt,
    ledger,
    lines,
    record,
    report,
    resume,
    short_ways,
    start,
    stream,
    structure,
    volume,
)
from tests.benchmarks.options import Options

PARTS: dict[str, Callable[[Options], None]] = {
    "start": start.main,
    "stream": stream.main,
    "volume": volume.main,
    "calls": calls.main,
    "map": lines.main,
    "record": record.main,
    "budget": budget.main,
    "resume": resume.main,
    "breaks": lambda _options: breaks.main(),
    "interrupt": lambda _options: interrupt.main(),
    "ledger": lambda _options: ledger.main(),
    "short": short_ways.main,
    "structure": structure.main,
}
# Parts that neither need the other programs nor llmcli as it is installed.
_ALONE = {"calls", "interrupt", "ledger", "structure"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=15, help="of each command; the default is 15")
    parser.add_argument(
        "--quick", action="store_true", help="two runs: see that it works; no figures to go by"
    )
    parser.add_argument("--full", action="store_true", help="map: all 10,000 and 100,000 records")
    parser.add_argument("--beside", metavar="PATH", help="structure: another checkout")
    given = parser.parse_args()
    unknown = set(given.names) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options = Options(2 if given.quick else given.runs, given.quick, given.full, given.beside)
    names = given.names or list(PARTS)
    if set(names) - _ALONE:
        installed.set_up()
        _say_what_is_measured(options)
    for name in names:
        PARTS[name](options)


def _say_what_is_measured(options: Options) -> None:
    report.heading("What is measured", f"{report.machine()}; medians of {options.runs} runs.")
    for package in ("llmcli", *installed.PEERS):
        print(f"- {installed.versions(package)}")


main()

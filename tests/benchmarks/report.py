"""Tables that read well in a terminal and are Markdown as well."""

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence


def heading(text: str, note: str = "") -> None:
    print(f"\n### {text}\n" + (f"\n{note}\n" if note else ""), flush=True)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The first column is text, the others are figures."""
    body = [list(row) for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(header, *body, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in (header, rule, *body):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("| " + " | ".join(cells) + " |", flush=True)


def ratios(name: str, seconds: Mapping[str, float], reference: str) -> None:
    """Each time over that of `reference`."""
    base = seconds[reference]
    rows = [(who, ratio(time / base), milliseconds(time)) for who, time in seconds.items()]
    table((name, f"/ {reference}", "ms"), rows)


def ratio(value: float) -> str:
    return f"{value:.2f}"


def milliseconds(seconds: float, digits: int = 1) -> str:
    return f"{seconds * 1000:,.{digits}f}"


def mebibytes(count: float) -> str:
    return f"{count / 2**20:.1f}"


def machine() -> str:
    kind = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True)
    curl_version = " ".join(curl.stdout.split()[:2])
    load = f"load {os.getloadavg()[0]:.1f} at the start"
    return f"{kind}, {load}; Python {platform.python_version()}, {curl_version}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            named = [line.split(":", 1)[1].strip() for line in file if line.startswith("model n")]
    except OSError:
        named = []
    return named[0] if named else platform.processor()

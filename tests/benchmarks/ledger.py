"""`llmcli usage` on a ledger of a million requests: all of it, and with its checkpoint."""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("llmcli"))
REQUESTS = 1_000_000
RUNS = 3


def fill(path: Path) -> None:
    """A line before and a line after each request, as the program writes them."""
    about = {"model": "vendor/big", "host": "example.org", "profile": None, "command": "ask"}
    with path.open("w") as file:
        for number in range(REQUESTS):
            day, second = number % 28 + 1, number % 86400
            clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            moment = f"2026-02-{day:02}T{clock}Z"
            fields = {"time": moment, **about, "tag": f"t{number % 7}", "session": None}
            for event, more in (
                ("intent", {"estimate_usd": 0.01}),
                ("settled", {"exit": "ok", "prompt_tokens": 1200, "cost_usd": 0.00123}),
            ):
                head = {"id": f"{number:016x}", "event": event}
                file.write(json.dumps({**head, **fields, **more}) + "\n")


def median(act: Callable[[], object], before: Callable[[], object]) -> float:
    """Seconds."""
    times = []
    for _ in range(RUNS):
        before()
        begin = time.perf_counter()
        act()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        state = Path(home, "state")
        path = state / "llmcli/ledger/2026-02.jsonl"
        path.parent.mkdir(parents=True)
        (state / "llmcli").chmod(0o700)
        fill(path)
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "XDG_STATE_HOME": str(state)}

        def usage() -> None:
            command = [PROGRAM, "usage", "--since", "2026-02", "--until", "2026-02", "--json"]
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            assert json.loads(done.stdout)["total"]["requests"] == REQUESTS

        def parse() -> None:
            with path.open() as file:
                for line in file:
                    json.loads(line)

        def forget() -> None:
            path.with_suffix(".sums.json").unlink(missing_ok=True)

        plain = median(parse, lambda: None)
        first = median(usage, forget)
        again = median(usage, lambda: None)
        print(f"{REQUESTS:,} requests, {path.stat().st_size // 2**20} MiB; medians of {RUNS};")
        print(f"Python {platform.python_version()}, {platform.machine()}")
        print(f"json.loads of every line  1.00  ({plain:.2f} s)")
        print(f"llmcli usage, first       {first / plain:.2f}  ({first:.2f} s)")
        print(f"llmcli usage, again       {again / plain:.3f}  ({again:.2f} s)")


if __name__ == "__main__":
    main()

"""Answers of very many tool calls, whole and in a stream: the time must grow with their number."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.options import Options
from tests.support.endpoint import Request, Script, Wire, chunk, serving

PROGRAM = str(Path(sys.executable).with_name("llmcli"))
_COUNTS = (1_000, 10_000, 100_000)


def main(options: Options) -> None:
    report.heading("An answer of many tool calls, start to end", f"Medians of {options.runs} runs.")
    counts = _COUNTS[:1] if options.quick else _COUNTS
    rows = []
    for count in counts:
        for name, script, argument in (("whole", _whole, "--no-stream"), ("stream", _stream, "-n")):
            seconds = _median(script(count), argument, options.runs)
            rows.append((f"{count:,}, {name}", f"{seconds:.2f}", f"{seconds / count * 1e6:.0f}"))
    report.table(("calls", "s", "µs/call"), rows)


def _median(script: Script, argument: str, runs: int) -> float:
    with serving(script) as server, tempfile.TemporaryDirectory() as home:
        environment = {
            **{"PATH": os.environ["PATH"], "HOME": home, "LLMCLI_MODEL": "m"},
            **{"LLMCLI_BASE_URL": server.base_url, "LLMCLI_API_KEY": "k"},
        }
        return statistics.median(_seconds(environment, argument) for _ in range(runs))


def _seconds(environment: Mapping[str, str], argument: str) -> float:
    command = [PROGRAM, "ask", "-q", "-n", argument, "hi"]
    begin = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def _calls(count: int) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": '{"x": 1}'}
    return [{"index": n, "id": f"call_{n}", "function": function} for n in range(count)]


def _whole(count: int) -> Script:
    message = {"content": None, "tool_calls": _calls(count)}
    body = json.dumps(chunk(None, message=message, finish_reason="tool_calls")).encode()
    return lambda wire, _: wire.whole(body, "200 OK", "application/json")


def _stream(count: int) -> Script:
    pieces = [json.dumps(chunk(None, delta={"tool_calls": [call]})) for call in _calls(count)]
    body = "".join(f"data: {piece}\n\n" for piece in pieces).encode()

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.send(body)
        wire.finish("tool_calls")

    return script

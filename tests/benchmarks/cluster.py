"""`llmcli map` in several processes beside one: of this machine, and of a Dask cluster."""

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Command, median_seconds, nowhere, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan, streamed, whole
from tests.foreign.test_foreign import FOREIGN, free_port
from tests.support.dask import dask_cluster
from tests.support.program import KEY, PROGRAM, clean_environment
from tests.support.waiting import wait_until

_CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 10000000; client_body_buffer_size 64k;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 127.0.0.1:{port};
        location /whole {{ default_type application/json; return 200 '{whole}'; }}
        location /stream {{ default_type text/event-stream; return 200 '{stream}'; }}
    }}
}}
"""
_WAIT = 0.2
_WORKERS = 4


def main(options: Options) -> None:
    runs = min(options.runs, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _cores(folder, runs, 500 if options.quick else 20_000)
        _machines(folder, runs, (100,) if options.quick else (500, 1_000, 2_000))


def _cores(folder: Path, runs: int, records: int) -> None:
    report.heading(
        "One process and two, from an nginx that answers at once",
        f"{records:,} records, -j 8 in each process, start included. All share the cores, nginx as "
        "well; CPU time is that of the run alone, without its worker processes.",
    )
    nginx = FOREIGN / "nginx/usr/sbin/nginx"
    found = str(nginx) if nginx.exists() else shutil.which("nginx")
    if found is None:
        print("skipped, as nginx is not installed: tests/foreign/set-up")
        return
    rows = []
    with _answering(found, folder) as url:
        for kind, more in (("whole", ["--no-stream"]), ("stream", [])):
            env = _environment(folder, f"{url}/{kind}/v1")
            commands = {
                place: _map(folder, env, records, *more, *where)
                for place, where in (("1", []), ("local:2", ["--cluster", "local:2"]))
            }
            taken = side_by_side(commands, runs, nowhere)
            rates = [records / seconds for seconds in median_seconds(taken).values()]
            cpu = statistics.median(run.cpu for run in taken["local:2"]) / records
            shown = (f"{rate:,.0f}" for rate in rates)
            own = report.milliseconds(cpu, 2)
            rows.append((kind, *shown, report.ratio(rates[1] / rates[0]), own))
    report.table(("answers", "1 process /s", "local:2 /s", "ratio", "CPU ms a record"), rows)


def _machines(folder: Path, runs: int, sizes: tuple[int, ...]) -> None:
    report.heading(
        f"This machine alone and {_WORKERS} Dask workers, from a server that takes 200 ms",
        "Seconds from start to end, -j 8 here and in each worker, all on this machine. The ideal "
        f"is a {_WORKERS}th.",
    )
    rows = []
    with serving() as endpoint:
        env = _environment(folder, endpoint.base_url(Plan(wait=_WAIT)))
        workers: list[dict[str, str]] = [{"LLMCLI_API_KEY": KEY} for _ in range(_WORKERS)]
        with dask_cluster(folder / "dask", env, *workers) as cluster:
            for records in sizes:
                commands = {
                    "alone": _map(folder, env, records),
                    "cluster": _map(folder, env, records, "--cluster", cluster.address),
                }
                alone, spread = median_seconds(side_by_side(commands, runs, nowhere)).values()
                times = f"{alone:.1f}", f"{spread:.1f}", report.ratio(spread / alone)
                rows.append((f"{records:,} records", *times))
    report.table(("", "alone", "Dask", "Dask / alone"), rows)


def _map(folder: Path, env: Mapping[str, str], records: int, *options: str) -> Command:
    stdin = folder / f"{records}-lines"
    stdin.write_text("".join(f"{number}\n" for number in range(records)))
    return Command((PROGRAM, "map", "-q", "-j", "8", *options, "Q {}"), env, stdin)


def _environment(folder: Path, base_url: str) -> dict[str, str]:
    own = {"LLMCLI_BASE_URL": base_url, "LLMCLI_API_KEY": KEY, "LLMCLI_MODEL": "m"}
    return {**clean_environment(folder), **own}


@contextmanager
def _answering(program: str, folder: Path) -> Iterator[str]:
    """An nginx with two answers of ten tokens, and its address."""
    port, path = free_port(), folder / "nginx.conf"
    plan = Plan(framing="length")
    replies = {"whole": whole(plan), "stream": streamed(plan)}
    bodies = {name: reply.partition(b"\r\n\r\n")[2] for name, reply in replies.items()}
    texts = {name: body.decode().replace("\n", "\\n") for name, body in bodies.items()}
    path.write_text(_CONFIGURATION.format(folder=folder, port=port, **texts))
    with subprocess.Popen([program, "-c", path], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until((folder / "pid").exists)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()

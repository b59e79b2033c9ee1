"""`map` on a real Dask scheduler and real worker processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.echo import Echo, lines
from tests.support.program import PROGRAM, Run, one_line

DASK = Path(sys.executable).parent / "dask"


class Cluster:
    """Two workers, each with a key of its own in its environment."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.address_file = folder / "scheduler.json"
        self._folder = folder
        self._env = env
        self.processes: list[subprocess.Popen[bytes]] = []
        place = ["--scheduler-file", str(self.address_file)]
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *place)
        while not self.address_file.exists() or not self.address_file.read_text():
            time.sleep(0.05)
        for number in range(2):
            self._start("worker", "--nthreads", "2", "--no-nanny", "--no-dashboard", *place,
                        LLMCLI_API_KEY=f"worker-{number}-{'k' * 20}")  # fmt: skip

    def _start(self, *arguments: str, **variables: str) -> None:
        log = open(self._folder / f"log-{len(self.processes)}", "wb")  # noqa: SIM115
        self.processes.append(
            subprocess.Popen(
                [DASK, *arguments],
                env={**self._env, **variables},
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        )

    @property
    def address(self) -> str:
        return str(json.loads(self.address_file.read_text())["address"])

    def workers(self) -> int:
        from distributed import Client

        with Client(self.address, timeout=30, set_as_default=False) as client:
            return len(client.nthreads())


@pytest.fixture
def cluster(tmp_path: Path, env: dict[str, str], echo: Echo) -> Iterator[Cluster]:
    (tmp_path / "dask").mkdir()
    one = Cluster(tmp_path / "dask", {**env, "PATH": os.environ["PATH"]})
    until = time.monotonic() + 60
    while one.workers() < 2:
        assert time.monotonic() < until
        time.sleep(0.2)
    yield one
    for process in one.processes:
        process.kill()
        process.wait()


def test_each_worker_asks_with_its_own_key(run: Run, echo: Echo, cluster: Cluster) -> None:
    echo.wait = 0.05
    done = run("map", "--json", "--cluster", cluster.address, "{}", input=lines(40))
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["input"] for row in found] == [f"r{n}" for n in range(40)]
    assert {key[:15] for key in echo.keys} == {"Bearer worker-0", "Bearer worker-1"}
    assert "map: 40 done" in one_line(done.stderr)


def test_a_dead_workers_records_run_elsewhere(
    echo: Echo, env: dict[str, str], cluster: Cluster, tmp_path: Path
) -> None:
    echo.wait = 0.2
    (tmp_path / "in").write_bytes(lines(60))
    with open(tmp_path / "in", "rb") as stdin:
        process = subprocess.Popen(
            [PROGRAM, "map", "--json", "--cluster", cluster.address, "-O", "out", "{}"],
            env=env, cwd=tmp_path, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    echo.wait_for(10)
    cluster.processes[1].send_signal(signal.SIGKILL)
    _, stderr = process.communicate(timeout=100)
    assert process.returncode == 0, stderr
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["input"] for row in found] == [f"r{n}" for n in range(60)]
    assert all(row["ok"] for row in found)


def test_no_scheduler(run: Run, echo: Echo) -> None:
    done = run("map", "--cluster", "tcp://127.0.0.1:1", "{}", input=lines(2))
    assert done.returncode == 68
    assert "no Dask scheduler at tcp://127.0.0.1:1" in one_line(done.stderr)

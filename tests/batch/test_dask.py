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

from tests.support.echo import Echo, Handler, lines
from tests.support.mapping import start
from tests.support.program import Run, one_line
from tests.support.waiting import wait_until

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
        wait_until(lambda: self.address_file.exists() and self.address_file.read_text())
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

    def wait_for_workers(self) -> None:
        from distributed import Client

        with Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=100)


@pytest.fixture
def cluster(tmp_path: Path, env: dict[str, str], echo: Echo) -> Iterator[Cluster]:
    (tmp_path / "dask").mkdir()
    one = Cluster(tmp_path / "dask", {**env, "PATH": os.environ["PATH"]})
    try:
        one.wait_for_workers()
        yield one
    finally:
        for process in one.processes:
            process.kill()
            process.wait()


def test_each_worker_asks_with_its_own_key(run: Run, echo: Echo, cluster: Cluster) -> None:
    def wait_for_both(handler: Handler, _text: str, _number: int) -> None:
        """Nobody has a second record before each worker has one."""
        while len(set(handler.server.keys)) < 2:
            time.sleep(0.01)

    echo.fault = wait_for_both
    done = run("map", "--json", "--cluster", cluster.address, "{}", input=lines(40), timeout=110)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["input"] for row in found] == [f"r{n}" for n in range(40)]
    assert {key[:15] for key in echo.keys} == {"Bearer worker-0", "Bearer worker-1"}
    assert "map: 40 done" in one_line(done.stderr)


def test_a_dead_workers_records_run_elsewhere(
    echo: Echo, env: dict[str, str], cluster: Cluster, tmp_path: Path
) -> None:
    echo.hold()
    (tmp_path / "in").write_bytes(lines(60))
    process = start(env, tmp_path, "--json", "--cluster", cluster.address, "-O", "out")
    wait_until(lambda: len(set(echo.keys)) == 2)  # each worker has some
    cluster.processes[1].send_signal(signal.SIGKILL)
    echo.release()
    _, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stderr
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["input"] for row in found] == [f"r{n}" for n in range(60)]
    assert all(row["ok"] for row in found)


IMPATIENT = """
from llmcli.batch import dask
from llmcli.cli.entry import main
dask._PATIENCE = 0.5
main()
"""


def test_no_scheduler(echo: Echo, env: dict[str, str]) -> None:
    """With less patience than it has, as the test waits all of it."""
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "map", "--cluster", "tcp://127.0.0.1:1", "{}"],
        env=env,
        input=lines(2),
        capture_output=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 68
    assert "no Dask scheduler at tcp://127.0.0.1:1" in one_line(done.stderr)

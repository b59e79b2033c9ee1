"""Real Dask processes: a scheduler and workers, each with an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until

DASK = Path(sys.executable).parent / "dask"
Process = subprocess.Popen[bytes]


class Cluster:
    """A scheduler, and the workers that a test adds. Their logs are in `folder`."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        # Not the key of the run: each worker has its own.
        self._env = {k: v for k, v in env.items() if k != "LLMCLI_API_KEY"}
        self._env["PATH"] = os.environ["PATH"]
        self._place = folder / "scheduler.json"
        self.workers: list[Process] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_until(lambda: self._place.exists() and self._place.read_text() != "")
        self.address = str(json.loads(self._place.read_text())["address"])

    def add_worker(self, **variables: str) -> Process:
        """Start a worker of one thread, with a key unless it is given one, and return it."""
        number = len(self.workers)
        key = {"LLMCLI_API_KEY": f"worker-{number}-{'k' * 20}"}
        worker = self._start("worker", "--nthreads", "1", "--no-nanny", **{**key, **variables})
        self.workers.append(worker)
        return worker

    def wait_for_workers(self) -> None:
        from distributed import Client

        with Client(self.address, timeout=60, set_as_default=False) as client:
            if self.workers:
                client.wait_for_workers(len(self.workers), timeout=100)

    def end(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

    def _start(self, *arguments: str, **variables: str) -> Process:
        log = open(self._folder / f"log-{len(os.listdir(self._folder))}", "wb")  # noqa: SIM115
        return subprocess.Popen(
            [DASK, *arguments, "--no-dashboard", "--scheduler-file", str(self._place)],
            env={**self._env, **variables},
            cwd=self._folder,
            stdout=log,
            stderr=log,
        )


@contextmanager
def dask_cluster(folder: Path, env: dict[str, str], *workers: dict[str, str]) -> Iterator[Cluster]:
    """A cluster with a worker for each of `workers`, which are variables of its own."""
    folder.mkdir()
    cluster = Cluster(folder, env)
    try:
        for variables in workers:
            cluster.add_worker(**variables)
        cluster.wait_for_workers()
        yield cluster
    finally:
        cluster.end()

"""Processes of a Dask cluster, and the run itself, are killed in the middle of a run."""

import random
import signal
from pathlib import Path

from tests.support.dask import dask_cluster
from tests.support.echo import Echo, lines, prompt_of
from tests.support.mapping import rows_in, start
from tests.support.waiting import wait_until

WORKERS: list[dict[str, str]] = [{}, {}, {}]


def test_the_records_of_dead_workers_run_elsewhere(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """Two of three are killed, each at a time of chance, the first one in the middle of records."""
    (tmp_path / "in").write_bytes(lines(400))
    echo.hold()
    with dask_cluster(tmp_path / "dask", env, *WORKERS) as cluster:
        process = start(env, tmp_path, "--json", "--cluster", cluster.address, "-O", "out")
        wait_until(lambda: len(set(echo.keys)) == 3)  # each worker has some
        cluster.workers[1].kill()
        echo.release()
        at = random.randrange(20, 350)
        wait_until(lambda: len(echo.bodies) >= at)
        cluster.workers[2].kill()
        _, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stderr
    assert [row["input"] for row in rows_in(tmp_path / "out")] == [f"r{n}" for n in range(400)]
    again, summary = stderr.decode().splitlines()
    assert "with a worker that died, and asked again" in again
    assert "map: 400 done" in summary


def test_a_run_whose_scheduler_died_goes_on_later(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(lines(300))
    echo.wait = 0.02
    with dask_cluster(tmp_path / "dask", env, *WORKERS) as cluster:
        process = start(env, tmp_path, "--json", "--cluster", cluster.address, "-O", "out")
        at = random.randrange(1, 250)
        wait_until(lambda: len(echo.bodies) >= at)
        cluster.scheduler.kill()
        _, stderr = process.communicate(timeout=110)
    assert process.returncode == 68, stderr
    (line,) = stderr.decode().splitlines()
    assert f"no Dask scheduler at {cluster.address}" in line
    assert "go on with --resume" in line
    kept, asked = {row["input"] for row in rows_in(tmp_path / "out")}, len(echo.bodies)
    with dask_cluster(tmp_path / "again", env, {}) as cluster:
        options = ("--json", "--cluster", cluster.address, "-O", "out", "--resume")
        process = start(env, tmp_path, *options)
        _, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stderr
    assert [row["input"] for row in rows_in(tmp_path / "out")] == [f"r{n}" for n in range(300)]
    # A request of a worker that is dead by now may come among them.
    again = {prompt_of(body) for body in echo.bodies[asked:]}
    assert not again & kept
    assert len(again) == 300 - len(kept)


def test_without_workers_the_run_ends(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(lines(300))
    with dask_cluster(tmp_path / "dask", env, {}, {}) as cluster:
        process = start(env, tmp_path, "--json", "--cluster", cluster.address, "-O", "out")
        wait_until(lambda: (tmp_path / "out").exists() and rows_in(tmp_path / "out"))
        echo.hold()
        for worker in cluster.workers:
            worker.kill()
        _, stderr = process.communicate(timeout=110)
    assert process.returncode == 68, stderr
    assert b"has no workers left" in stderr
    assert rows_in(tmp_path / "out")


def test_the_first_signal_ends_the_run_in_order(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(lines(5000))
    echo.hold()
    with dask_cluster(tmp_path / "dask", env, {}, {}) as cluster:
        process = start(env, tmp_path, "--json", "--cluster", cluster.address, "-O", "out")
        echo.wait_for(16)
        process.send_signal(signal.SIGTERM)
        echo.release()
        _, stderr = process.communicate(timeout=110)
    assert process.returncode == -signal.SIGTERM, stderr
    # What was asked has its answer, and most was not asked.
    assert len(rows_in(tmp_path / "out")) == len(echo.bodies) < 5000

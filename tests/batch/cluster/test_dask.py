"""`map` on a real Dask scheduler and real worker processes."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dask import Cluster, dask_cluster
from tests.support.echo import Echo, Handler, lines, rows
from tests.support.program import Run, one_line


@pytest.fixture
def cluster(tmp_path: Path, env: dict[str, str], echo: Echo) -> Iterator[Cluster]:
    with dask_cluster(tmp_path / "dask", env, {}, {}) as one:
        yield one


def test_each_worker_asks_with_its_own_key(run: Run, echo: Echo, cluster: Cluster) -> None:
    def wait_for_both(handler: Handler, _text: str, _number: int) -> None:
        """Nobody has an answer before each worker has asked."""
        while len(set(handler.server.keys)) < 2:
            time.sleep(0.01)

    echo.fault = wait_for_both
    done = run("map", "--json", "--cluster", cluster.address, "{}", input=lines(40), timeout=110)
    assert done.returncode == 0, done.stderr
    assert [row["input"] for row in rows(done.stdout)] == [f"r{n}" for n in range(40)]
    assert {key[:15] for key in echo.keys} == {"Bearer worker-0", "Bearer worker-1"}
    assert "map: 40 done" in one_line(done.stderr)
    # What the workers spent stands here, once.
    usage = rows(run("usage", "--json").stdout.replace(b"\n", b" "))[0]
    assert [row["requests"] for row in usage["rows"]] == [40]


def test_a_worker_asks_as_many_at_once_as_one_process(
    run: Run, echo: Echo, cluster: Cluster
) -> None:
    def wait_for_all(handler: Handler, _text: str, _number: int) -> None:
        while handler.server.most < 6:
            time.sleep(0.01)

    echo.fault = wait_for_all
    options = ("--cluster", cluster.address, "-j", "3")
    done = run("map", *options, "{}", input=lines(30), timeout=110)
    assert done.returncode == 0, done.stderr
    assert echo.most == 6


def test_a_worker_whose_key_is_refused_is_left_out(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    def refuse_strangers(handler: Handler, _text: str, _number: int) -> bool | None:
        if handler.headers.get("Authorization"):
            return None
        return handler.refuse(401)

    echo.fault = refuse_strangers
    with dask_cluster(tmp_path / "dask", env, {}, {"LLMCLI_API_KEY": ""}) as cluster:
        options = ("--cluster", cluster.address)
        done = run("map", *options, "{}", input=lines(200), timeout=110)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 200
        left_out, summary = done.stderr.decode().splitlines()
        assert left_out.startswith("llmcli: worker tcp://127.0.0.1:")
        assert "is left out: HTTP 401: refused 401" in left_out
        assert "map: 200 done" in summary


def test_without_any_key_the_run_ends(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    env["LLMCLI_BASE_URL"] = ""
    with dask_cluster(tmp_path / "dask", env, {"LLMCLI_API_KEY": ""}) as cluster:
        options = ("--profile", "openai", "-m", "m", "--cluster", cluster.address)
        done = run("map", *options, "{}", input=lines(20), timeout=110)
        assert done.returncode == 78, done.stderr
        assert b"OPENAI_API_KEY" in done.stderr
        assert done.stdout == b""


def test_a_worker_with_another_version_is_left_out(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    about = tmp_path / "other" / "llmcli-9.9.9.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: llmcli\nVersion: 9.9.9\n")
    other = {"PYTHONPATH": str(about.parent)}
    with dask_cluster(tmp_path / "dask", env, {}, other) as cluster:
        options = ("--cluster", cluster.address)
        done = run("map", *options, "{}", input=lines(20), timeout=110)
        assert done.returncode == 0, done.stderr
        assert b"is left out: it has llmcli 9.9.9, and this is " in done.stderr
        assert {key[:15] for key in echo.keys} == {"Bearer worker-0"}
        cluster.workers[0].kill()
        cluster.workers[0].wait()
        done = run("map", *options, "{}", input=lines(20), timeout=110)
        assert done.returncode in (68, 78), done.stderr
        assert len(echo.bodies) == 20


def test_no_scheduler(run: Run, echo: Echo) -> None:
    done = run("map", "--cluster", "tcp://127.0.0.1:1", "{}", "--connect-timeout", "0.5",
               input=lines(2), timeout=110)  # fmt: skip
    assert done.returncode == 68
    assert "no Dask scheduler at tcp://127.0.0.1:1" in one_line(done.stderr)


def test_a_silent_scheduler(run: Run, echo: Echo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        done = run("map", "--cluster", address, "{}", "--connect-timeout", "0.5",
                   input=lines(2), timeout=110)  # fmt: skip
    assert done.returncode == 68
    assert f"no Dask scheduler at {address}: no answer within 0.5 s" in one_line(done.stderr)


def test_a_cluster_without_workers(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    with dask_cluster(tmp_path / "dask", env) as cluster:
        done = run("map", "--cluster", cluster.address, "--connect-timeout", "2", "{}",
                   input=lines(2), timeout=110)  # fmt: skip
    assert done.returncode == 68
    assert "has no workers" in one_line(done.stderr)


@pytest.mark.parametrize("address", ["", "scheduler", "local:", "local:0", "local:two"])
def test_what_is_no_cluster(run: Run, echo: Echo, address: str) -> None:
    done = run("map", "--cluster", address, "{}", input=lines(2))
    assert done.returncode == 2, done.stderr
    assert b"--cluster" in done.stderr

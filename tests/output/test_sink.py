"""-O FILE: written beside it and renamed only on success."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server, answer, broken
from tests.support.program import PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]


def test_output_file_is_replaced_only_on_success(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    target = tmp_path / "out.txt"
    target.write_text("yesterday")
    target.chmod(0o640)
    endpoint(broken)
    done = run("ask", "-O", "out.txt", "hi")
    assert (done.returncode, done.stdout) == (69, b"")
    assert target.read_text() == "yesterday"
    assert (tmp_path / "out.txt.part").read_text() == "half an ans"
    assert "out.txt.part" in one_line(done.stderr)
    endpoint(answer("today"))
    done = run("ask", "-q", "-O", "out.txt", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert target.read_text() == "today\n"
    assert target.stat().st_mode & 0o777 == 0o640
    # Whose it is cannot be told any more, so nobody removes it.
    assert (tmp_path / "out.txt.part").read_text() == "half an ans"


def test_output_file_leaves_nothing_behind(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(lambda wire, _: wire.json({"error": {"message": "no"}}, "402 No"))
    (tmp_path / "out.txt").write_text("yesterday")
    assert run("ask", "-O", "out.txt", "hi").returncode == 83
    assert {p.name for p in tmp_path.iterdir()} == {"home", "out.txt"}
    assert (tmp_path / "out.txt").read_text() == "yesterday"


def test_output_follows_a_link_and_writes_to_devices(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(answer("x"))
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert run("ask", "-O", "link.txt", "hi").returncode == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "x\n"
    assert run("ask", "-O", "/dev/null", "hi").returncode == 0
    log = tmp_path / "log.txt"
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        log.write_text("before\n")
        with log.open("ab") as stdout:
            assert run("ask", "-O", name, "hi", stdout=stdout).returncode == 0
        assert log.read_text() == "before\nx\n"
    assert run("ask", "-O", "-", "hi").stdout == b"x\n"


def test_json_failure_goes_to_stdout_where_the_file_must_stay(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "out.json").write_text("{}")
    endpoint(broken)
    done = run("ask", "--json", "-O", "out.json", "hi")
    assert (tmp_path / "out.json").read_text() == "{}"
    assert json.loads(done.stdout)["llmcli"]["ok"] is False
    endpoint(answer("good"))
    done = run("ask", "--json", "-O", "out.json", "hi")
    assert done.stdout == b""
    assert json.loads((tmp_path / "out.json").read_text())["llmcli"]["ok"] is True


@pytest.mark.parametrize("target", ["missing/out.txt", ".", "/proc/out.txt"])
def test_output_that_cannot_be_created_costs_nothing(
    run: Run, endpoint: Endpoint, target: str
) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "-O", target, "hi")
    assert done.returncode == 73
    assert f"cannot create {target}" in one_line(done.stderr)
    assert server.requests == []


def test_output_beside_files_in_the_way(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(broken)
    (tmp_path / "x.part").mkdir()
    done = run("ask", "-O", "x", "--retries", "0", "hi")
    line = one_line(done.stderr)
    kept = line.rpartition("partial answer kept in ")[2].partition(" ")[0].rstrip(";)")
    assert Path(kept).read_text() == "half an ans"
    endpoint(answer("x"))
    assert run("ask", "-O", "я" * 125, "hi").returncode == 0
    done = run("ask", "-O", "same", "--usage-file", "./same", "hi")
    assert done.returncode == 2
    assert "name the same file" in one_line(done.stderr)


def test_events_that_fail_end_on_stdout_if_the_file_must_stay(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(broken)
    done = run("ask", "--events", "-O", "events", "--retries", "0", "hi")
    assert json.loads(done.stdout)["event"] == "end"
    assert "events.part" in one_line(done.stderr)
    assert not (tmp_path / "events").exists()


def test_a_deleted_working_directory(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    script = 'mkdir d; cd d; rmdir ../d; "$0" ask -n -O out hi'
    done = subprocess.run(
        ["sh", "-c", script, PROGRAM], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 73, done.stderr

"""A file of results has one writer at a time, and only our own lines are ever changed."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.echo import Echo, lines
from tests.support.mapping import kill, rows_in, start
from tests.support.program import Run, one_line


def test_a_torn_last_line_is_dropped(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(10))
    whole = (tmp_path / "out").read_bytes()
    for cut in (1, 20, 200):
        (tmp_path / "out").write_bytes(whole[:-cut])
        before = len(echo.bodies)
        done = run("map", "--json", "-O", "out", "--resume", "{}", input=lines(10))
        assert done.returncode == 0, done.stderr
        assert [row["index"] for row in rows_in(tmp_path / "out")] == list(range(10))
        assert len(echo.bodies) - before == (0 if cut == 1 else 1)


def test_zeros_that_a_loss_of_power_leaves(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    with (tmp_path / "out").open("ab") as file:
        file.write(b"\0" * 4096)
    done = run("map", "--json", "-O", "out", "--resume", "{}", input=lines(4))
    assert done.returncode == 0, done.stderr
    assert [row["index"] for row in rows_in(tmp_path / "out")] == list(range(4))


def test_a_file_of_somebody_else_is_left_alone(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("my notes, without a line end")
    done = run("map", "--json", "-O", "out", "--resume", "{}", input=lines(3))
    assert done.returncode == 73
    assert "out: line 1 is not a result of map" in one_line(done.stderr)
    assert (tmp_path / "out").read_text() == "my notes, without a line end"
    assert not echo.bodies


def test_files_of_somebody_else_stay(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "out.progress").write_text("precious")
    for options in ([], ["--resume"], ["--json"]):
        (tmp_path / "out").write_text("notes" if "--json" in options else "")
        assert run("map", *options, "-O", "out", "{}", input=lines(2)).returncode == 73
        assert (tmp_path / "out.progress").read_text() == "precious"
    (tmp_path / "out.progress").unlink()
    (tmp_path / "out").write_text("precious")
    done = run("map", "--resume", "-O", "out", "{}", input=lines(2))
    assert done.returncode == 73 and "no out.progress" in one_line(done.stderr)
    assert not echo.bodies


@pytest.mark.parametrize("before", ["text", "json", "batch"])
def test_a_file_of_another_form_is_left_alone(
    run: Run, echo: Echo, tmp_path: Path, before: str
) -> None:
    bodies = [{"messages": [{"role": "user", "content": f"r{n}"}]} for n in range(10)]
    batch = "".join(json.dumps({"custom_id": "c", "body": body}) + "\n" for body in bodies)
    (tmp_path / "batch").write_text(batch)
    forms = {"text": ["{}"], "json": ["--json", "{}"], "batch": ["--requests", "batch"]}
    echo.fault = lambda handler, text, _n: text == "r5" and handler.refuse(401)
    begun = run("map", "-j", "1", "-O", "out", *forms[before], input=lines(10))
    assert begun.returncode == 77
    kept = {path: path.read_bytes() for path in tmp_path.glob("out*")}
    assert any(kept.values())
    echo.fault, asked = None, len(echo.bodies)
    for form in forms.keys() - {before}:
        done = run("map", "-O", "out", "--resume", *forms[form], input=lines(10))
        assert done.returncode == 73, done.stderr
        assert re.search(" results, not |there is no out.progress", one_line(done.stderr))
        assert {path: path.read_bytes() for path in kept} == kept
    assert len(echo.bodies) == asked
    assert run("map", "-O", "out", "--resume", *forms[before], input=lines(10)).returncode == 0


def test_paid_answers_in_json_are_not_taken_for_text(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    whole = (tmp_path / "out").read_bytes()
    assert run("map", "-O", "out", "--resume", "{}", input=lines(3)).returncode == 73
    assert (tmp_path / "out").read_bytes() == whole and len(echo.bodies) == 3


def test_two_at_once_on_one_file(run: Run, echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.hold()
    (tmp_path / "in").write_bytes(lines(20))
    process = start(env, tmp_path, "--json", "-j", "2", "-O", "out")
    echo.wait_for(1)
    for arguments in (["--resume"], []):
        done = run("map", "--json", "-O", "out", *arguments, "{}", input=lines(20))
        assert done.returncode == 75
        assert f"out is being written by process {process.pid}, started " in one_line(done.stderr)
    kill(process)


@pytest.mark.parametrize("first", [["--json"], []])
def test_runs_of_two_forms_on_one_file(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, first: list[str]
) -> None:
    echo.hold()
    (tmp_path / "in").write_bytes(lines(10))
    process = start(env, tmp_path, *first, "-j", "1", "-O", "out")
    echo.wait_for(1)
    other = [] if first else ["--json"]
    for resumed in ([], ["--resume"]):
        done = run("map", *other, *resumed, "-O", "out", "{}", input=lines(3))
        assert done.returncode in (73, 75), done.stderr
    echo.release()
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert len((tmp_path / "out").read_bytes().splitlines()) == 10


def test_a_file_that_is_removed_meanwhile_is_written_anew(
    run: Run, echo: Echo, tmp_path: Path
) -> None:
    echo.fault = lambda _handler, text, _n: text == "r3" and (tmp_path / "out").unlink()  # type: ignore[func-returns-value]
    assert run("map", "-j", "1", "--json", "-O", "out", "{}", input=lines(6)).returncode == 0
    assert [row["input"] for row in rows_in(tmp_path / "out")] == [f"r{n}" for n in range(6)]


def test_the_file_has_the_mode_of_any_file(run: Run, echo: Echo, tmp_path: Path) -> None:
    for name in ("text", "json"):
        run("map", *(["--json"] if name == "json" else []), "-O", name, "{}", input=lines(3))
        umask = os.umask(0)
        os.umask(umask)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask

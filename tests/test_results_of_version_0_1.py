"""Go on with results that `map` of 0.1 left: ask nothing anew, lose nothing."""

from pathlib import Path

import pytest

from tests.support.echo import Echo, rows
from tests.support.program import Run
from tests.support.version_0_1 import OldRun, move_in, old_run, old_runs, stand_in

FAILED = ("json-failed", "text-failed", "batch-failed")
KILLED_WITH_FAILURES = ("json-killed", "text-killed", "batch-killed")
KILLED = (*KILLED_WITH_FAILURES, "json-again-killed", "text-again-killed")
FINISHED = tuple(sorted({*old_runs()} - {*FAILED, *KILLED}))


@pytest.fixture(autouse=True)
def proxy(home: Path, echo: Echo, env: dict[str, str]) -> None:
    """Make the home that of somebody who had 0.1, and `echo` the endpoint of its config.toml."""
    move_in(home)
    stand_in(env, echo.base_url)


def go_on(run: Run, old: OldRun, option: str = "--resume", more: bytes = b"") -> int:
    """Give the command line of `old` again, and return the exit code."""
    done = run(*old.arguments, option, input=old.input + more, cwd=old.folder)
    return done.returncode


def asked(echo: Echo) -> list[str]:
    """List the prompts that were sent, in no order of theirs."""
    return sorted(echo.asked.elements())


@pytest.mark.parametrize("option", ["--resume", "--retry-failed"])
@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_asks_nothing(
    run: Run, echo: Echo, tmp_path: Path, name: str, option: str
) -> None:
    old = old_run(name, tmp_path / "work")
    before = old.results
    assert before and not old.asked
    assert go_on(run, old, option) == 0
    assert echo.bodies == []
    assert old.results == before


def test_nor_does_it_ask_another_endpoint(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    old = old_run("json", tmp_path / "work")
    env["LLMCLI_BASE_URL"] = echo.base_url
    env["LLMCLI_PRICES"] = '{"*": {"prompt": 1, "completion": 1}}'  # the budget wants to know
    assert go_on(run, old) == 0
    assert echo.bodies == []
    assert go_on(run, old, more=b"new\n") == 0
    assert asked(echo) == ["Translate to French: new"]


@pytest.mark.parametrize("name", [*FAILED, *KILLED])
def test_an_unfinished_run_asks_what_is_missing(
    run: Run, echo: Echo, tmp_path: Path, name: str
) -> None:
    old = old_run(name, tmp_path / "work")
    before = old.results
    assert old.asked
    assert go_on(run, old) == old.exit_code
    assert asked(echo) == old.asked
    check_whole(old, before)
    after = old.results
    assert go_on(run, old) == old.exit_code
    assert asked(echo) == old.asked
    if not old.exit_code:
        assert old.results == after


def check_whole(old: OldRun, before: dict[str, bytes]) -> None:
    """Look at FILE: each record is there, in its place, and each old answer as it was."""
    if old.is_text:
        assert old.results["out"] == (old.folder / "whole").read_bytes()
        return
    found = rows(old.results["out"])
    assert list(old.results) == ["out"]
    assert [number_of(row) for row in found] == list(range(len(found)))
    kept = before.get("out.progress", before["out"]).splitlines(keepends=True)
    good = [line for line in kept if line.endswith(b"\n") and b'"ok": true' in line]
    assert good and set(good) <= set(old.results["out"].splitlines(keepends=True))


def number_of(row: dict[str, object]) -> object:
    """Find the number of its record in a line of JSON, or of a batch."""
    about = row["llmcli"] if "custom_id" in row else row
    assert isinstance(about, dict)
    return about["index"]


@pytest.mark.parametrize("name", [*FAILED, *KILLED_WITH_FAILURES])
def test_only_what_failed_is_tried_again(run: Run, echo: Echo, tmp_path: Path, name: str) -> None:
    old = old_run(name, tmp_path / "work")
    assert old.asked_by_retry
    more = b'{"title": "a new one"}\n' if name == "json-failed" else b"a new one\n"
    assert go_on(run, old, "--retry-failed", more) == old.exit_code
    assert asked(echo) == old.asked_by_retry


@pytest.mark.parametrize("name", ["json", "text"])
def test_rows_that_moved_are_known(run: Run, echo: Echo, tmp_path: Path, name: str) -> None:
    old = old_run(name, tmp_path / "work")
    prompt = old.arguments[-1].partition("{")[0]
    lines = [line for line in old.input.splitlines() if line.strip()]
    moved = [b"new", *reversed(lines)]
    done = run(*old.arguments, "--resume", input=b"\n".join(moved), cwd=old.folder)
    assert done.returncode == 0
    assert b"resumed: 6 done before, 1 changed, 0 new" in done.stderr
    assert asked(echo) == [f"{prompt}new"]
    if name == "json":
        found = rows(old.results["out"])
        assert [row["input"].encode() for row in found] == moved
        assert [row["index"] for row in found] == list(range(len(moved)))


@pytest.mark.parametrize("name", ["json", "text", "batch"])
def test_a_torn_last_line_is_asked_again(run: Run, echo: Echo, tmp_path: Path, name: str) -> None:
    old = old_run(name, tmp_path / "work")
    path = old.folder / ("out.progress" if name == "text" else "out")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert go_on(run, old) == 0
    assert len(echo.bodies) == 1
    assert whole.startswith(path.read_bytes()[: whole[:-1].rindex(b"\n")])


def test_no_case_is_missing() -> None:
    """Notice a case that is missing from the data."""
    assert {*FAILED, *KILLED} < {*old_runs()}
    assert len(FINISHED) == 12

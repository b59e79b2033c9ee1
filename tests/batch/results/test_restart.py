"""Nothing that was paid for is thrown away: what a run does with the FILE of one before it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.echo import Echo, Handler, asked, echoing, lines
from tests.support.mapping import kill, rows_in, start
from tests.support.program import Run, one_line
from tests.support.waiting import wait_until

FORMS = [["--json"], []]
IDS = ["json", "text"]


@pytest.fixture
def killed(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> Callable[..., None]:  # fmt: skip
    """Kill a run over twelve records once six of them have their answer."""

    def killed(*options: str) -> None:
        echo.hold(*(f"r{n}" for n in range(6, 12)))
        (tmp_path / "in").write_bytes(lines(12))
        process = start(env, tmp_path, "-j", "2", "-O", "out", *options)
        in_place = "--json" in options and "--restart" not in options
        kept, times = (
            tmp_path / ("out" if in_place else "out.progress"),
            1 + ("--restart" in options),
        )
        wait_until(
            lambda: (
                all(echo.asked[f"r{n}"] == times for n in range(8))
                and kept.read_bytes().count(b"\n") == 6
            )
        )
        kill(process)
        echo.release()

    return killed


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_a_run_that_did_not_end_is_not_begun_anew(
    run: Run, echo: Echo, killed: Callable[..., None], tmp_path: Path, form: list[str]
) -> None:
    killed(*form)
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("out*")}
    count = len(echo.bodies)
    for _ in range(2):
        done = run("map", "-O", "out", *form, "{}", input=lines(12))
        assert done.returncode == 73
        line = one_line(done.stderr)
        assert "--resume" in line and "--restart" in line
    assert {path.name: path.read_bytes() for path in tmp_path.glob("out*")} == kept
    assert len(echo.bodies) == count
    assert run("map", "-O", "out", *form, "--resume", "{}", input=lines(12)).returncode == 0
    assert all(echo.asked[f"r{n}"] == 1 for n in range(6))
    assert len((tmp_path / "out").read_bytes().splitlines()) == 12
    assert not (tmp_path / "out.unfinished").exists()


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_restart_begins_it_anew_and_can_be_gone_on_with(
    run: Run, echo: Echo, killed: Callable[..., None], tmp_path: Path, form: list[str]
) -> None:
    killed(*form)
    killed("--restart", *form)
    assert all(echo.asked[f"r{n}"] == 2 for n in range(6))
    assert run("map", "-O", "out", *form, "{}", input=lines(12)).returncode == 73
    assert run("map", "-O", "out", *form, "--resume", "{}", input=lines(12)).returncode == 0
    assert all(echo.asked[f"r{n}"] == 2 for n in range(6))
    assert len((tmp_path / "out").read_bytes().splitlines()) == 12
    done = run("map", "-O", "out", *form, "--restart", "{}", input=lines(3))
    assert done.returncode == 0
    assert len((tmp_path / "out").read_bytes().splitlines()) == 3
    names = {path.name for path in tmp_path.glob("out*")}
    assert names == ({"out"} if form else {"out", "out.progress"})


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_a_nightly_run_replaces_its_finished_file(
    run: Run, echo: Echo, tmp_path: Path, form: list[str]
) -> None:
    for night in range(1, 4):
        assert run("map", "-O", "out", *form, "{}", input=lines(5)).returncode == 0
        assert len(echo.bodies) == 5 * night
        assert len((tmp_path / "out").read_bytes().splitlines()) == 5


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_a_nightly_run_after_one_that_had_no_answer(
    run: Run, echo: Echo, tmp_path: Path, form: list[str]
) -> None:
    """A night without a network must not keep all later ones from their work."""
    echo.fault = lambda handler, _text, _n: handler.refuse(401)
    assert run("map", "-O", "out", *form, "{}", input=lines(5)).returncode == 77
    echo.fault = None
    assert run("map", "-O", "out", *form, "{}", input=lines(5)).returncode == 0
    assert len((tmp_path / "out").read_bytes().splitlines()) == 5


def test_restart_needs_a_file_and_no_other_way(run: Run) -> None:
    for options in (["--restart"], ["--restart", "--resume", "-O", "out"]):
        assert run("map", *options, "{}", input=b"a\n").returncode == 2


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_answers_of_records_that_are_gone_are_kept_and_found_again(
    run: Run, echo: Echo, tmp_path: Path, form: list[str]
) -> None:
    out = ("map", "-O", "out", *form)
    run(*out, "{}", input=b"a\nb\nb\nc\n")
    assert run(*out, "--resume", "{}", input=b"c\nb\n").returncode == 0
    assert len((tmp_path / "out.stale").read_bytes().splitlines()) == 2
    assert run(*out, "--resume", "other {}", input=b"c\nb\n").returncode == 0
    assert len((tmp_path / "out.stale").read_bytes().splitlines()) == 4
    assert asked(echo) == ["a", "b", "b", "c", "other b", "other c"]
    whole = (tmp_path / "out").read_bytes()
    assert run(*out, "--resume", "{}", input=b"a\nb\nb\nc\n").returncode == 0
    assert len(echo.bodies) == 6
    if form:
        found = rows_in(tmp_path / "out")
        assert [(row["input"], row["index"]) for row in found] == [
            ("a", 0), ("b", 1), ("b", 2), ("c", 3)
        ]  # fmt: skip
    else:
        text = b"answer to a\nanswer to b\nanswer to b\nanswer to c\n"
        assert (tmp_path / "out").read_bytes() == text
    assert run(*out, "--resume", "other {}", input=b"c\nb\n").returncode == 0
    assert (tmp_path / "out").read_bytes() == whole
    assert len(echo.bodies) == 6


def test_a_stale_file_that_is_used_up_is_gone(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=b"a\nb\n")
    run("map", "--json", "-O", "out", "--resume", "{}", input=b"b\n")
    assert (tmp_path / "out.stale").exists()
    run("map", "--json", "-O", "out", "--resume", "{}", input=b"a\nb\n")
    assert {path.name for path in tmp_path.glob("out*")} == {"out"}
    assert len(echo.bodies) == 2


def test_a_stale_file_of_somebody_else_stays(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=b"a\n")
    (tmp_path / "out.stale").write_text("precious")
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=b"b\n").returncode == 73
    assert (tmp_path / "out.stale").read_text() == "precious"


# What the server says of r1, and the exit codes that --resume takes for final.
ITS_OWN = {"bad request": 400, "too long": 413}
OTHERS = {"server": 500}


@pytest.mark.parametrize("form", FORMS, ids=IDS)
@pytest.mark.parametrize("name", [*ITS_OWN, *OTHERS])
def test_resume_leaves_out_what_is_the_fault_of_the_record(
    run: Run, echo: Echo, tmp_path: Path, name: str, form: list[str]
) -> None:
    status, count = {**ITS_OWN, **OTHERS}[name], [0]

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        count[0] += text == "r1"
        return handler.refuse(status) if text == "r1" else None

    echo.fault = fault
    out = ("map", "-O", "out", "--retries", "0", *form)
    assert run(*out, "{}", input=lines(3)).returncode == 3
    again = run(*out, "--resume", "{}", input=lines(3))
    assert again.returncode == 3
    assert count[0] == (1 if name in ITS_OWN else 2)
    echo.fault = None
    before = len(echo.bodies)
    assert run(*out, "--retry-failed", "{}", input=lines(4)).returncode == 0
    assert len(echo.bodies) == before + 1
    if form:
        assert [row["ok"] for row in rows_in(tmp_path / "out")] == [True] * 3


def test_a_cut_answer_is_not_asked_again(run: Run, echo: Echo, tmp_path: Path) -> None:
    def fault(handler: Handler, text: str, _number: int) -> bool:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        handler.whole(200, {"id": "1", "object": "chat.completion", "choices": [choice]})
        return True

    echo.fault = fault
    for option in ([], ["--resume"]):
        done = run("map", "--json", "-O", "out", *option, "{}", input=lines(2))
        assert done.returncode == 3, done.stderr
    assert len(echo.bodies) == 2
    assert "--retry-failed asks" in one_line(done.stderr)


def test_another_endpoint_is_asked_for_its_own_answers(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(2))
    with echoing() as other:
        env["LLMCLI_BASE_URL"] = other.base_url
        run("map", "--json", "-O", "out", "--resume", "{}", input=lines(2))
        assert len(other.bodies) == 2
        env["LLMCLI_BASE_URL"] = echo.base_url
        run("map", "--json", "-O", "out", "--resume", "{}", input=lines(2))
        assert len(other.bodies) == len(echo.bodies) == 2


def test_a_malformed_record_is_not_tried_again(run: Run, echo: Echo, tmp_path: Path) -> None:
    text = b'{"a": 1}\nnonsense\n'
    for option in ([], ["--resume"], ["--resume"]):
        done = run("map", "--json", "--format", "jsonl", "-O", "out", *option, "{a}", input=text)
        assert done.returncode == 3
    assert len(echo.bodies) == 1
    found = rows_in(tmp_path / "out")
    assert [row["ok"] for row in found] == [True, False]
    assert json.dumps(found).count("nonsense") >= 1

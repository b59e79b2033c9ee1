"""A run of `map` that was ended goes on: nothing is asked twice, nothing is lost."""

import json
import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.echo import Echo, lines
from tests.support.mapping import kill, kill_once_asked, lost_by_a_kill, rows_in, start
from tests.support.program import PROGRAM, Run, one_line
from tests.support.waiting import wait_until


@pytest.mark.parametrize("form", ["json", "text", "batch"])
def test_killed_again_and_again(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, form: str
) -> None:
    """Each record is once in the output, and only what was in flight is sent again."""
    echo.wait = 0.01
    count, width, kills = 150, 8, 6
    (tmp_path / "in").write_bytes(lines(count))
    bodies = [{"messages": [{"role": "user", "content": f"r{n}"}]} for n in range(count)]
    batch = [{"custom_id": f"c{n}", "body": body} for n, body in enumerate(bodies)]
    (tmp_path / "batch").write_text("".join(json.dumps(line) + "\n" for line in batch))
    own = {"json": ["--json", "{}"], "text": ["{}"], "batch": ["--requests", "batch"]}[form]
    options = ["-j", str(width), "-O", "out", "--resume", *own]
    for _ in range(kills):
        before = len(echo.bodies)
        process = start(env, tmp_path, *options)
        kill_once_asked(process, echo, before + random.randint(1, 18))
    done = run("map", *options, input=lines(count))
    assert done.returncode == 0, done.stderr
    assert "resumed: " in one_line(done.stderr)
    if form == "text":
        expected = "".join(f"answer to r{n}\n" for n in range(count))
        assert (tmp_path / "out").read_text() == expected
    elif form == "json":
        assert [row["input"] for row in rows_in(tmp_path / "out")] == [
            f"r{n}" for n in range(count)
        ]
    else:
        names = [row["custom_id"] for row in rows_in(tmp_path / "out")]
        assert names == [f"c{n}" for n in range(count)]
    twice = sum(n - 1 for n in Counter(echo.asked).values())
    assert twice <= kills * lost_by_a_kill(width)
    asked = len(echo.bodies)
    again = run("map", *options, input=lines(count))
    assert again.returncode == 0 and len(echo.bodies) == asked
    assert f"resumed: {count} done before, 0 new" in one_line(again.stderr)


def test_by_content_not_by_number(run: Run, echo: Echo, tmp_path: Path) -> None:
    """Rows that moved are done, duplicates are each their own, a changed one is asked."""
    out = ("map", "--json", "-O", "out", "--resume", "{}")
    run(*out, input=b"a\nb\nb\nc\n")
    assert len(echo.bodies) == 4
    done = run(*out, input=b"new\nb\nb\nb\na\nc\n")
    assert echo.asked == {"a": 1, "b": 3, "c": 1, "new": 1}
    assert "2 done, resumed: 4 done before, " in one_line(done.stderr)
    found = rows_in(tmp_path / "out")
    assert [row["input"] for row in found] == ["new", "b", "b", "b", "a", "c"]
    assert [row["index"] for row in found] == list(range(6))


@pytest.mark.parametrize("change", [["-m", "other"], ["--temperature", "1"], ["-s", "S"]])
def test_another_model_or_parameter_is_asked_again(
    run: Run, echo: Echo, tmp_path: Path, change: list[str]
) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    old = (tmp_path / "out").read_bytes()
    done = run("map", "--json", "-O", "out", "--resume", *change, "{}", input=lines(3))
    assert done.returncode == 0
    assert len(echo.bodies) == 6
    assert "resumed: 0 done before, 3 changed, 0 new" in one_line(done.stderr)
    assert (tmp_path / "out.stale").read_bytes() == old
    new = (tmp_path / "out").read_bytes()
    run("map", "--json", "-O", "out", "--resume", "--no-stream", "{}", input=lines(3))
    assert len(echo.bodies) == 6
    assert (tmp_path / "out").read_bytes() == old
    assert (tmp_path / "out.stale").read_bytes() == new


def test_failed_ones_are_asked_again(run: Run, echo: Echo, tmp_path: Path) -> None:
    bad = {"r3", "r7"}
    echo.fault = lambda handler, text, _n: text in bad and handler.refuse(400)
    assert run("map", "--json", "-O", "out", "{}", input=lines(10)).returncode == 3
    bad.clear()
    done = run("map", "--json", "-O", "out", "--retry-failed", "{}", input=lines(12))
    assert done.returncode == 0
    assert echo.asked["r3"] == echo.asked["r7"] == 2 and not echo.asked["r11"]
    found = rows_in(tmp_path / "out")
    assert [row["index"] for row in found] == list(range(10))
    assert all(row["ok"] for row in found)
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(12)).returncode == 0
    assert [row["index"] for row in rows_in(tmp_path / "out")] == list(range(12))


def test_yesterdays_file_is_replaced_only_at_the_end(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    run("map", "--json", "-O", "out", "old {}", input=lines(5))
    old = (tmp_path / "out").read_bytes()
    echo.hold(*(f"r{n}" for n in range(30, 40)))
    (tmp_path / "in").write_bytes(lines(40))
    process = start(env, tmp_path, "--json", "-j", "4", "-O", "out")
    kill_once_asked(process, echo, 25)
    echo.release()
    assert (tmp_path / "out").read_bytes() == old
    done = run("map", "--json", "-j", "4", "-O", "out", "--resume", "{}", input=lines(40))
    assert done.returncode == 0 and "resumed: " in one_line(done.stderr)
    assert sum(echo.asked.values()) <= 5 + 40 + lost_by_a_kill(4)
    found = [row["input"] for row in rows_in(tmp_path / "out")]
    assert found == [f"r{n}" for n in range(40)]
    run("map", "--json", "-O", "out", "{}", input=lines(2))
    assert [row["input"] for row in rows_in(tmp_path / "out")] == ["r0", "r1"]
    assert not (tmp_path / "out.progress").exists()


def test_a_failure_that_was_tried_again_before_a_kill_is_gone(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    bad, out = {"r2", "r3"}, tmp_path / "out"
    echo.fault = lambda handler, text, _n: text in bad and handler.refuse(400)
    run("map", "--json", "-O", "out", "{}", input=lines(4))
    bad.clear()
    echo.hold("r3")
    (tmp_path / "in").write_bytes(lines(4))
    process = start(env, tmp_path, "--json", "-O", "out", "--retry-failed")
    wait_until(lambda: echo.asked["r3"] == 2 and out.read_bytes().count(b"\n") == 5)
    kill(process)
    echo.release()
    assert run("map", "--json", "-O", "out", "--retry-failed", "{}", input=lines(4)).returncode == 0
    assert [(row["index"], row["ok"]) for row in rows_in(out)] == [(n, True) for n in range(4)]
    assert echo.asked["r2"] == 2


def test_what_retry_failed_leaves_out_keeps_its_line(run: Run, echo: Echo, tmp_path: Path) -> None:
    bad = {"b"}
    echo.fault = lambda handler, text, _n: text in bad and handler.refuse(400)
    run("map", "-O", "out", "{}", input=b"a\nb\nc\n")
    bad.clear()
    assert run("map", "-O", "out", "--retry-failed", "{}", input=b"a\nb\nnew\nc\n").returncode == 0
    assert (tmp_path / "out").read_text() == "answer to a\nanswer to b\n\nanswer to c\n"
    done = run("map", "-O", "none", "--retry-failed", "{}", input=b"a\n")
    assert done.returncode == 66


@pytest.mark.parametrize("shape", ["-x", "--yes-no"])
def test_an_answer_of_another_shape_is_none(
    run: Run, echo: Echo, tmp_path: Path, shape: str
) -> None:
    echo.reply = "```\nyes\n```".format
    run("map", "-O", "out", "{}", input=lines(2))
    echo.reply = ("yes" if shape == "--yes-no" else "```\ncode\n```").format
    done = run("map", "-O", "out", "--resume", shape, "{}", input=lines(3))
    assert done.returncode == 0, done.stderr
    assert len(echo.bodies) == 5
    assert len(set((tmp_path / "out").read_text().split())) == 1


def test_results_that_a_run_replaces_are_told(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    for form in (["--json"], []):
        done = run("map", *form, "-O", "out", "{}", input=lines(1))
        assert done.returncode == 0
        assert b"out is kept until the end, and then replaced; --resume would" in done.stderr


def test_nothing_to_try_again_leaves_no_file(run: Run, echo: Echo, tmp_path: Path) -> None:
    assert run("map", "-O", "out", "--retry-failed", "{}", input=lines(3)).returncode == 66
    assert not list(tmp_path.glob("out*"))


def test_a_full_disk_ends_it_and_it_goes_on(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(lines(60))
    command = f"ulimit -f 16; exec {PROGRAM} map --json -j 4 -O out '{{}}' < in"
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {command}"], env={**env, "LLMCLI_LEDGER": "false"},
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 74, done.stderr
    assert "out: write error" in one_line(done.stderr) and "--resume" in one_line(done.stderr)
    whole = len(rows_in(tmp_path / "out"))
    assert 0 < whole < 60
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(60)).returncode == 0
    assert [row["index"] for row in rows_in(tmp_path / "out")] == list(range(60))
    assert len(echo.bodies) <= 60 + lost_by_a_kill(4)


def test_a_disk_that_fills_at_the_end_leaves_no_scraps(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """The answers fit, their last form does not."""
    echo.reply = lambda _text: "\x00" * 1000  # six times as long in JSON
    script = f"trap '' XFSZ; {PROGRAM} map -q --no-ledger -O out '{{}}' < in; ulimit -f 20; "
    script += f"{PROGRAM} map --no-ledger -O out --resume '{{}}' < in"
    (tmp_path / "in").write_bytes(lines(40))
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 74, done.stderr
    assert "out: write error" in one_line(done.stderr)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "in", "out", "out.progress"}
    assert len((tmp_path / "out").read_bytes().splitlines()) == 40


def test_a_last_step_that_fails_says_where_the_answers_are(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.hold("r5")
    (tmp_path / "in").write_bytes(lines(6))
    process = start(env, tmp_path, "-j", "1", "-O", "out")
    echo.wait_for(6)
    (tmp_path / "out").mkdir()
    echo.release()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 73
    assert "6 done" in one_line(stderr)
    assert "the answers so far are in out.progress; go on with --resume" in one_line(stderr)

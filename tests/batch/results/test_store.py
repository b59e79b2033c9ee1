"""A run of `map` that was ended goes on: nothing twice, nothing lost."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo import Echo, lines
from tests.support.program import PROGRAM, Run, one_line

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def start(env: dict[str, str], cwd: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    with open(cwd / "in", "rb") as stdin:
        return subprocess.Popen(
            [PROGRAM, "map", *arguments, "{}"],
            env=env, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def kill_once_asked(process: "subprocess.Popen[bytes]", echo: Echo, count: int) -> None:
    while len(echo.bodies) < count and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("form", ["json", "text", "batch"])
def test_killed_at_random_twenty_times(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, form: str
) -> None:
    """Each record is once in the output, and only what was in flight is sent again."""
    echo.wait = 0.01
    count, width = 400, 8
    (tmp_path / "in").write_bytes(lines(count))
    bodies = [{"messages": [{"role": "user", "content": f"r{n}"}]} for n in range(count)]
    batch = [{"custom_id": f"c{n}", "body": body} for n, body in enumerate(bodies)]
    (tmp_path / "batch").write_text("".join(json.dumps(line) + "\n" for line in batch))
    own = {"json": ["--json", "{}"], "text": ["{}"], "batch": ["--requests", "batch"]}[form]
    options = ["map", "-j", str(width), "-O", "out", "--resume", *own]
    for _ in range(20):
        before = len(echo.bodies)
        with open(tmp_path / "in", "rb") as stdin:
            process = subprocess.Popen(
                [PROGRAM, *options], env=env, cwd=tmp_path, stdin=stdin,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        kill_once_asked(process, echo, before + random.randint(1, 18))
    assert len(echo.bodies) < count + 20 * width
    done = run(*options, input=lines(count))
    assert done.returncode == 0, done.stderr
    assert "resumed: " in one_line(done.stderr)
    if form == "text":
        expected = "".join(f"answer to r{n}\n" for n in range(count))
        assert (tmp_path / "out").read_text() == expected
    elif form == "json":
        assert [row["input"] for row in rows(tmp_path / "out")] == [f"r{n}" for n in range(count)]
    else:
        names = [row["custom_id"] for row in rows(tmp_path / "out")]
        assert names == [f"c{n}" for n in range(count)]
    twice = sum(n - 1 for n in Counter(echo.asked).values())
    assert twice <= 20 * width
    asked = len(echo.bodies)
    again = run(*options, input=lines(count))
    assert again.returncode == 0 and len(echo.bodies) == asked
    assert f"resumed: {count} done before, 0 new" in one_line(again.stderr)


def test_a_torn_last_line_is_dropped(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(10))
    whole = (tmp_path / "out").read_bytes()
    for cut in (1, 20, 200):
        (tmp_path / "out").write_bytes(whole[:-cut])
        before = len(echo.bodies)
        done = run("map", "--json", "-O", "out", "--resume", "{}", input=lines(10))
        assert done.returncode == 0, done.stderr
        assert [row["index"] for row in rows(tmp_path / "out")] == list(range(10))
        assert len(echo.bodies) - before == (0 if cut == 1 else 1)


def test_by_content_not_by_number(run: Run, echo: Echo, tmp_path: Path) -> None:
    """Rows that moved are done, duplicates are each their own, a changed one is asked."""
    out = ("map", "--json", "-O", "out", "--resume", "{}")
    run(*out, input=b"a\nb\nb\nc\n")
    assert len(echo.bodies) == 4
    done = run(*out, input=b"new\nb\nb\nb\na\nc\n")
    assert echo.asked == {"a": 1, "b": 3, "c": 1, "new": 1}
    assert "2 done, resumed: 4 done before, " in one_line(done.stderr)
    found = rows(tmp_path / "out")
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
    assert (tmp_path / "out").read_bytes().startswith(old)
    run("map", "--json", "-O", "out", "--resume", "--no-stream", "{}", input=lines(3))
    assert len(echo.bodies) == 6


def test_failed_ones_are_asked_again(run: Run, echo: Echo, tmp_path: Path) -> None:
    bad = {"r3", "r7"}
    echo.fault = lambda handler, text, _n: text in bad and handler.refuse(400)
    assert run("map", "--json", "-O", "out", "{}", input=lines(10)).returncode == 3
    bad.clear()
    done = run("map", "--json", "-O", "out", "--retry-failed", "{}", input=lines(12))
    assert done.returncode == 0
    assert echo.asked["r3"] == echo.asked["r7"] == 2 and not echo.asked["r11"]
    found = rows(tmp_path / "out")
    assert [row["index"] for row in found] == list(range(10))
    assert all(row["ok"] for row in found)
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(12)).returncode == 0
    assert [row["index"] for row in rows(tmp_path / "out")] == list(range(12))


def test_yesterdays_file_is_replaced_only_at_the_end(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    run("map", "--json", "-O", "out", "old {}", input=lines(5))
    old = (tmp_path / "out").read_bytes()
    echo.wait = 0.05
    (tmp_path / "in").write_bytes(lines(40))
    process = start(env, tmp_path, "--json", "-j", "4", "-O", "out")
    kill_once_asked(process, echo, 25)
    assert (tmp_path / "out").read_bytes() == old
    done = run("map", "--json", "-j", "4", "-O", "out", "--resume", "{}", input=lines(40))
    assert done.returncode == 0 and "resumed: " in one_line(done.stderr)
    assert sum(echo.asked.values()) <= 5 + 40 + 4
    found = [row["input"] for row in rows(tmp_path / "out")]
    assert found == [f"r{n}" for n in range(40)]
    run("map", "--json", "-O", "out", "{}", input=lines(2))
    assert [row["input"] for row in rows(tmp_path / "out")] == ["r0", "r1"]
    assert not (tmp_path / "out.progress").exists()


def test_a_file_of_somebody_else_is_left_alone(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("my notes, without a line end")
    done = run("map", "--json", "-O", "out", "--resume", "{}", input=lines(3))
    assert done.returncode == 73
    assert "out: line 1 is not a result of map" in one_line(done.stderr)
    assert (tmp_path / "out").read_text() == "my notes, without a line end"
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


def test_two_at_once_on_one_file(run: Run, echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.wait = 0.3
    (tmp_path / "in").write_bytes(lines(20))
    process = start(env, tmp_path, "--json", "-j", "2", "-O", "out")
    echo.wait_for(1)
    for arguments in (["--resume"], []):
        done = run("map", "--json", "-O", "out", *arguments, "{}", input=lines(20))
        assert done.returncode == 75
        assert f"out is being written by process {process.pid}, started " in one_line(done.stderr)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_lets_what_is_in_flight_end(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    echo.wait = 0.5
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "--json", "-j", "4", "-O", "out")
    echo.wait_for(6)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == -number
    asked = len(echo.bodies)
    assert asked < 20
    assert len(rows(tmp_path / "out")) == asked
    if number == signal.SIGTERM:
        assert f"{asked} done" in one_line(stderr) and "--resume" in one_line(stderr)
    echo.wait = 0
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(100)).returncode == 0
    assert len(echo.bodies) == 100


def test_a_second_signal_ends_at_once(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.wait = 60
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    process.communicate()


def test_a_signal_while_all_wait_to_try_again(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.fault = lambda handler, _text, _n: handler.refuse(429, Retry_After="60")
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    process.communicate()


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
    whole = len(rows(tmp_path / "out"))
    assert 0 < whole < 60
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(60)).returncode == 0
    assert [row["index"] for row in rows(tmp_path / "out")] == list(range(60))
    assert len(echo.bodies) <= 60 + 8


def test_the_file_has_the_mode_of_any_file(run: Run, echo: Echo, tmp_path: Path) -> None:
    for name in ("text", "json"):
        run("map", *(["--json"] if name == "json" else []), "-O", name, "{}", input=lines(3))
        umask = os.umask(0)
        os.umask(umask)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask

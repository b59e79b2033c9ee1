"""What attempts to break `map` have found."""

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmcli.batch.input.readers import line_records
from llmcli.batch.input.source import Source
from tests.support.echo import Echo, Handler, lines, prompt_of, rows
from tests.support.money import records as ledger_of
from tests.support.program import PROGRAM, Run, one_line

Config = Callable[[str], Path]


@pytest.mark.parametrize("text", [b"1\n2\n1\n", b"a\na\na\n", b"5\n7\n5\n8\n5\n", b"\n\na\n\na"])
def test_short_records_are_records(run: Run, echo: Echo, text: bytes) -> None:
    done = run("map", "{}", input=text)
    expected = [b"answer to " + line for line in text.splitlines() if line]
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_wherever_a_read_ends(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\na\nb\n\nccc\n\xc3\xbc\na"
    blocks = [data[n : n + size] for n in range(0, len(data), size)]
    monkeypatch.setattr("os.read", lambda _descriptor, _size: blocks.pop(0) if blocks else b"")
    found = [record.value for record in line_records(Source(0, "stdin", 10, "10"), b"\n")]
    assert found == ["a", "b", "ccc", "ü", "a"]


def test_a_request_of_a_batch_costs_what_its_own_model_does(
    run: Run, echo: Echo, config: Config, tmp_path: Path
) -> None:
    config(
        "[prices]\ncheap = { prompt = 1, completion = 1 }\n"
        "dear = { prompt = 1e6, completion = 1e6 }"
    )
    body = {"model": "dear", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    (tmp_path / "b").write_text(json.dumps({"custom_id": "a", "body": body}) + "\n")
    done = run("map", "-m", "cheap", "--max-cost", "0.01", "--requests", "b")
    assert done.returncode == 84, done.stderr
    assert not echo.bodies
    run("map", "-m", "cheap", "--requests", "b")
    assert "dear" in run("usage", "--by", "model").stdout.decode()


def test_budgets_hold_for_many_threads(run: Run, echo: Echo, config: Config) -> None:
    config("budget.day = 1000.0\nprices.m = { prompt = 1.0, completion = 1.0 }")
    done = run("map", "-j", "64", "--max-tokens", "5", "{}", input=lines(150))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [0, signal.SIGINT, signal.SIGTERM])
def test_an_input_that_says_nothing_is_not_waited_for(
    echo: Echo, env: dict[str, str], number: int
) -> None:
    if not number:
        echo.fault = lambda handler, _text, _n: handler.refuse(401)
    with subprocess.Popen(
        [PROGRAM, "map", "{}"],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        process.stdin.write(b"a\n")
        process.stdin.flush()
        echo.wait_for(1)
        if number:
            time.sleep(0.3)
            process.send_signal(number)
        assert process.wait(20) == (-number or 77)


def test_a_refusal_for_all_is_acted_on_at_once(run: Run, echo: Echo) -> None:
    """Not only when the turn of its record comes."""

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        if text == "r1":
            return handler.refuse(401)
        time.sleep(2 if text == "r0" else 0.02)
        return None

    echo.fault = fault
    assert run("map", "-j", "4", "{}", input=lines(500)).returncode == 77
    assert len(echo.bodies) < 150


def test_an_endpoint_that_is_not_there_ends_it(run: Run, env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    env.update(LLMCLI_BASE_URL=f"http://127.0.0.1:{port}/v1", LLMCLI_MODEL="m")
    done = run("map", "--json", "--retries", "0", "{}", input=lines(1000))
    assert done.returncode == 68
    assert f"127.0.0.1:{port}" in one_line(done.stderr)
    assert len(rows(done.stdout)) < 500


def test_records_that_were_not_asked_leave_their_line_empty(
    run: Run, echo: Echo, config: Config
) -> None:
    config("prices.m = { prompt = 0.0, completion = 1000.0 }")
    done = run("map", "-j", "8", "--max-tokens", "10", "--max-cost", "0.1", "{}", input=lines(200))
    assert done.returncode == 84
    for number, line in enumerate(done.stdout.decode().splitlines()):
        assert line in ("", f"answer to r{number}")


def test_odd_rows_of_a_table(run: Run, echo: Echo) -> None:
    done = run("map", "--json", "--format", "csv", "X {a}",
               input=b"\na,b,,\nx,y,,\n1\r2,3,,\n4,5,,\n")  # fmt: skip
    assert [row["ok"] for row in rows(done.stdout)] == [True, False, True]
    assert done.returncode == 3
    long = b"a,b\n" + b"x" * 2000 + b",1\n2,3\n"
    done = run("map", "--json", "--max-input", "1k", "X {a}", input=long)
    assert [row["ok"] for row in rows(done.stdout)] == [False, True]


def test_a_quote_that_never_ends_takes_no_more_than_allowed(run: Run, echo: Echo) -> None:
    table = b'a\n"oops\n' + b"x\n" * 2000
    done = run("map", "--max-input", "1k", "X {a}", input=table)
    assert done.returncode == 3
    assert max(len(prompt_of(body)) for body in echo.bodies) < 1100


def test_a_first_record_that_is_too_large_does_not_change_the_format(run: Run, echo: Echo) -> None:
    first = json.dumps({"a": "x" * 3000}).encode()
    done = run("map", "--json", "--max-input", "1k", "X {a}", input=first + b'\n{"a": "ok"}\n')
    assert [row["ok"] for row in rows(done.stdout)] == [False, True]


def test_a_json_array_is_no_records(run: Run, echo: Echo) -> None:
    done = run("map", "X {a}", input=b'[{"a": 1}]')
    assert done.returncode == 2 and "jq -c '.[]'" in one_line(done.stderr)


def test_braces_of_a_template_are_its_own(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('prompt = "Return {} if none."')
    assert run("map", "-t", "./t.toml", input=b"hello\n").returncode == 0
    assert prompt_of(echo.bodies[0]) == "hello\n\nReturn {} if none."


@pytest.mark.parametrize("rpm", ["0", "-5", "nan", "inf", "1e-9"])
def test_rates_that_are_none(run: Run, echo: Echo, rpm: str) -> None:
    done = run("map", f"--rpm={rpm}", "{}", input=lines(2))
    assert done.returncode == 2 and "--rpm cannot be" in one_line(done.stderr)


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


def test_paid_answers_in_json_are_not_taken_for_text(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    whole = (tmp_path / "out").read_bytes()
    assert run("map", "-O", "out", "--resume", "{}", input=lines(3)).returncode == 73
    assert (tmp_path / "out").read_bytes() == whole and len(echo.bodies) == 3


def test_a_failure_that_was_tried_again_before_a_kill_is_gone(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    bad = {"r2"}
    echo.fault = lambda handler, text, _n: text in bad and handler.refuse(400)
    run("map", "--json", "-O", "out", "{}", input=lines(4))
    bad.clear()
    echo.fault = lambda _handler, text, _n: time.sleep(5 if text == "r4" else 0)
    (tmp_path / "in").write_bytes(lines(5))
    with open(tmp_path / "in", "rb") as stdin:
        process = subprocess.Popen(
            [PROGRAM, "map", "--json", "-O", "out", "--resume", "{}"],
            env=env, cwd=tmp_path, stdin=stdin,
        )  # fmt: skip
    while echo.asked["r2"] < 2 or not echo.asked["r4"]:
        time.sleep(0.01)
    time.sleep(0.3)
    process.kill()
    process.wait()
    echo.fault = None
    assert run("map", "--json", "-O", "out", "--resume", "{}", input=lines(5)).returncode == 0
    found = rows((tmp_path / "out").read_bytes())
    assert [(row["index"], row["ok"]) for row in found] == [(n, True) for n in range(5)]


def test_what_retry_failed_leaves_out_keeps_its_line(run: Run, echo: Echo, tmp_path: Path) -> None:
    bad = {"b"}
    echo.fault = lambda handler, text, _n: text in bad and handler.refuse(400)
    run("map", "-O", "out", "{}", input=b"a\nb\nc\n")
    bad.clear()
    assert run("map", "-O", "out", "--retry-failed", "{}", input=b"a\nb\nnew\nc\n").returncode == 0
    assert (tmp_path / "out").read_text() == "answer to a\nanswer to b\n\nanswer to c\n"
    done = run("map", "-O", "none", "--retry-failed", "{}", input=b"a\n")
    assert done.returncode == 66


def test_open_descriptors_are_written_to(run: Run, echo: Echo, tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as out:
        done = run("map", "-O", "/dev/fd/1", "{}", input=b"a\n", stdout=out)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x").read_text() == "answer to a\n"
    done = run("map", "-O", "/dev/null", "--resume", "{}", input=b"a\n")
    assert done.returncode == 2


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


def test_a_folder_that_was_taken_away_is_made_again(run: Run, echo: Echo, home: Path) -> None:
    def fault(_handler: Handler, text: str, _number: int) -> None:
        if text == "r3":
            shutil.rmtree(home / ".local/state/llmcli")

    echo.fault = fault
    assert run("map", "-j", "1", "{}", input=lines(8)).returncode == 0
    assert len(ledger_of(home)) == 5


def test_map_says_what_it_cannot_record(run: Run, echo: Echo, env: dict[str, str]) -> None:
    env["XDG_STATE_HOME"] = "/proc/nothing"
    done = run("map", "{}", input=lines(8))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 8)
    warning = b"warning: not recorded: cannot write the ledger /proc/nothing/"
    assert done.stderr.count(warning) == 1 and b"(8 records)" in done.stderr
    assert run("map", "-q", "{}", input=lines(8)).stderr == b""

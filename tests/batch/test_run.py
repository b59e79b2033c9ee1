"""`map` where others touch what it works on: its files, its processes, its requests."""

import fcntl
import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.api.usage import UNKNOWN, Tokens
from llmcli.errors import WriteError
from llmcli.spending import ledger
from llmcli.system import private_dirs
from llmcli.system.environment import Environment
from llmcli.system.jsonl import Journal
from tests.batch.results.test_store import start
from tests.support.echo import Echo, lines, rows
from tests.support.money import records as ledger_of
from tests.support.program import PROGRAM, Run, one_line

Config = Callable[[str], Path]


@pytest.mark.parametrize("first", [["--json"], []])
def test_runs_of_two_forms_on_one_file(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path, first: list[str]
) -> None:
    echo.wait = 0.3
    (tmp_path / "in").write_bytes(lines(10))
    process = start(env, tmp_path, *first, "-j", "1", "-O", "out")
    echo.wait_for(1)
    other = [] if first else ["--json"]
    for resumed in ([], ["--resume"]):
        done = run("map", *other, *resumed, "-O", "out", "{}", input=lines(3))
        assert done.returncode in (73, 75), done.stderr
    echo.wait = 0
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len((tmp_path / "out").read_bytes().splitlines()) == 10


def test_a_file_that_is_removed_meanwhile_is_written_anew(
    run: Run, echo: Echo, tmp_path: Path
) -> None:
    echo.fault = lambda _handler, text, _n: text == "r3" and (tmp_path / "out").unlink()  # type: ignore[func-returns-value]
    assert run("map", "-j", "1", "--json", "-O", "out", "{}", input=lines(6)).returncode == 0
    assert [row["input"] for row in rows((tmp_path / "out").read_bytes())] == [
        f"r{n}" for n in range(6)
    ]


def test_a_signal_twice_at_the_same_time_is_one(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """timeout(1) sends it to the process, and then to its group."""
    echo.wait = 0.5
    (tmp_path / "in").write_bytes(lines(100))
    process = start(env, tmp_path, "-j", "4")
    echo.wait_for(4)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert len(stdout.splitlines()) == len(echo.bodies)


def test_what_waits_for_its_turn_is_shown_at_a_forced_end(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.fault = lambda _handler, text, _n: text == "r1" and time.sleep(60)  # type: ignore[func-returns-value]
    (tmp_path / "in").write_bytes(lines(9))
    process = start(env, tmp_path, "-j", "4")
    while len(echo.bodies) < 9 or echo.running > 1:
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    expected = ["" if n == 1 else f"answer to r{n}" for n in range(9)]
    assert stdout.decode().splitlines() == expected
    assert "8 done" in one_line(stderr)


def test_under_timeout_nothing_of_what_was_asked_is_lost(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.wait = 0.5
    (tmp_path / "in").write_bytes(lines(100))
    command = f"timeout 5 {PROGRAM} map -j 4 --json -O out '{{}}' < in"
    done = subprocess.run(["bash", "-c", command], env=env, cwd=tmp_path, check=False)
    assert done.returncode == 124
    assert len(rows((tmp_path / "out").read_bytes())) == len(echo.bodies) > 0


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


def test_the_cost_of_a_cut_answer_is_unknown_not_nothing(
    run: Run, echo: Echo, config: Config, tmp_path: Path
) -> None:
    config("prices.m = { prompt = 100.0, completion = 200.0 }")

    def cut(handler: object, _text: str, _number: int) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: {}")  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]
        return True

    echo.fault = cut
    done = run("map", "--retries", "0", "{}", input=lines(1))
    assert done.returncode == 3
    assert "tokens unknown, cost unknown" in one_line(done.stderr)
    limits = ("--max-tokens", "5", "--max-cost", "0.02", "-j", "1")
    done = run("map", *limits, "--json", "{}", input=lines(1))
    assert [len(row["llmcli"]["attempts"]) for row in rows(done.stdout)] == [len(echo.bodies) - 1]
    assert "not sent" not in json.dumps(rows(done.stdout)[0]["llmcli"]["attempts"])


def test_a_message_of_a_batch_that_is_none(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "b").write_text('{"custom_id": "q", "body": {"messages": [5]}}\n')
    assert b"1 malformed record" in run("map", "--requests", "b", "--dry-run").stdout
    assert run("map", "--requests", "b").returncode == 3
    assert not echo.bodies


def test_a_request_of_a_batch_without_a_bound_fails_alone(
    run: Run, echo: Echo, config: Config, tmp_path: Path
) -> None:
    config("prices.m = { prompt = 1.0, completion = 1.0 }")
    said = [{"role": "user", "content": "hi"}]
    bodies = [{"messages": said}, {"messages": said, "max_tokens": 5}, {"messages": said}]
    batch = [{"custom_id": f"c{n}", "body": body} for n, body in enumerate(bodies)]
    (tmp_path / "b").write_text("".join(json.dumps(line) + "\n" for line in batch))
    done = run("map", "--requests", "b", "--max-cost", "1")
    assert done.returncode == 3, done.stderr
    assert [row["error"] is None for row in rows(done.stdout)] == [False, True, False]
    assert len(echo.bodies) == 1


def test_zeros_that_a_loss_of_power_leaves(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    with (tmp_path / "out").open("ab") as file:
        file.write(b"\0" * 4096)
    done = run("map", "--json", "-O", "out", "--resume", "{}", input=lines(4))
    assert done.returncode == 0, done.stderr
    assert [row["index"] for row in rows((tmp_path / "out").read_bytes())] == list(range(4))


def test_a_number_stands_in_the_prompt_as_it_was_written(run: Run, echo: Echo) -> None:
    done = run("map", "{a} {b} {c}", input=b'{"a": 1.10, "b": 2, "c": 1e3}\n')
    assert done.stdout == b"answer to 1.10 2 1e3\n"


@pytest.mark.parametrize("count", [1, 5])
def test_a_short_input_whose_endpoint_nobody_reaches(run: Run, echo: Echo, count: int) -> None:
    options = ("--base-url", "http://127.0.0.1:1/v1", "--retries", "0")
    done = run("map", *options, "{}", input=lines(count))
    assert done.returncode == 68
    assert f"{count} failed ({count} network)" in one_line(done.stderr)


def test_results_that_a_run_replaces_are_told(run: Run, echo: Echo, tmp_path: Path) -> None:
    run("map", "--json", "-O", "out", "{}", input=lines(3))
    for form in (["--json"], []):
        done = run("map", *form, "-O", "out", "{}", input=lines(1))
        assert done.returncode == 0
        assert b"out is kept until the end, and then replaced; --resume would" in done.stderr


def test_nothing_to_try_again_leaves_no_file(run: Run, echo: Echo, tmp_path: Path) -> None:
    assert run("map", "-O", "out", "--retry-failed", "{}", input=lines(3)).returncode == 66
    assert not list(tmp_path.glob("out*"))


def test_a_pattern_that_the_shell_has_read(run: Run, echo: Echo, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("pass")
    done = run("map", "--files", "a.py", "b.py")
    assert done.returncode == 2 and "quote the pattern" in one_line(done.stderr)
    assert not echo.bodies


def test_a_forecast_beyond_what_may_be_spent(run: Run, echo: Echo, config: Config) -> None:
    config("prices.m = { prompt = 100.0, completion = 200.0 }")
    limits = ("--dry-run", "--max-tokens", "5", "--max-cost", "0.001")
    assert b"which --max-cost $0.0010 may end early" in run("map", *limits, input=lines(3)).stdout


def test_a_ledger_that_is_busy_at_the_end_is_waited_for(
    run: Run, echo: Echo, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    echo.wait = 0.3
    (tmp_path / "in").write_bytes(lines(2))
    process = start(env, tmp_path, "-j", "2")
    echo.wait_for(2)
    (ledger,) = (home / ".local/state/llmcli/ledger").glob("*.jsonl")
    with ledger.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        time.sleep(1.3)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(ledger_of(home)) == 2


def test_a_last_step_that_fails_says_where_the_answers_are(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    echo.wait = 0.2
    (tmp_path / "in").write_bytes(lines(6))
    process = start(env, tmp_path, "-j", "1", "-O", "out")
    echo.wait_for(3)
    (tmp_path / "out").mkdir()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 73
    assert "6 done" in one_line(stderr)
    assert "out.progress has what came; go on with --resume" in one_line(stderr)


def test_what_could_not_be_written_is_not_done(run: Run, echo: Echo) -> None:
    with open("/dev/full", "wb") as full:
        done = run("map", "-j", "1", "{}", input=lines(4), stdout=full)
    assert done.returncode == 74
    assert "map: 0 done" in one_line(done.stderr)


def test_threads_that_begin_a_ledger_together_lose_nothing(home: Path) -> None:
    """However long it takes to open it."""

    class Slow(Journal):
        def __init__(self, *given: Any) -> None:
            time.sleep(random.random() * 0.03)
            super().__init__(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "Journal", Slow)
        kept = ledger.Ledger(Environment({"HOME": str(home)}), lazily=True)
        about = ledger.About("m", None, None, "map", None, None)
        settled = ledger.Settlement("ok", 200, None, Tokens(), UNKNOWN, 0.1)

        def ask() -> None:
            kept.settle(kept.begin(about, UNKNOWN), settled)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept.finish()
    assert len(ledger_of(home)) == 8


def test_a_month_that_could_not_be_written_does_not_keep_back_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ledger.Ledger(Environment({"HOME": str(home)}), lazily=True)
    about = ledger.About("m", None, None, "map", None, None)
    private_dirs.make_private(home / ".local/state/llmcli/ledger/2026-10.jsonl")
    monkeypatch.setattr("llmcli.spending.ledger.now", lambda: "2026-10-31T23:59:59Z")
    with pytest.raises(WriteError):
        kept.begin(about, UNKNOWN)
    monkeypatch.setattr("llmcli.spending.ledger.now", lambda: "2026-11-01T00:00:01Z")
    intent = kept.begin(about, UNKNOWN)
    kept.settle(intent, ledger.Settlement("ok", 200, None, Tokens(), UNKNOWN, 1.0))
    with pytest.raises(WriteError, match="2026-10"):
        kept.finish()
    november = home / ".local/state/llmcli/ledger/2026-11.jsonl"
    assert [json.loads(line)["event"] for line in november.open()] == ["intent", "settled"]


def test_yes_no_prints_the_word(run: Run, echo: Echo) -> None:
    echo.reply = {"r0": "**Yes**", "r1": "No.\n", "r2": "perhaps"}.__getitem__
    done = run("map", "--yes-no", "{}", input=lines(3))
    assert (done.returncode, done.stdout) == (3, b"yes\nno\n\n")

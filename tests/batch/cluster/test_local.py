"""`map --cluster local:N`: processes of this machine."""

import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo import Echo, Handler, asked, lines, rows
from tests.support.mapping import Process, kill, rows_in, start
from tests.support.program import PROGRAM, Run, one_line
from tests.support.waiting import wait_until


def workers_of(process: "subprocess.Popen[bytes]") -> list[int]:
    """The processes that it has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in children.read_text().split()]


def requests(run: Run) -> dict[str, Any]:
    """The sums of the ledger."""
    usage = rows(run("usage", "--json").stdout.replace(b"\n", b" "))[0]
    (row,) = usage["rows"]
    assert isinstance(row, dict)
    return row


def test_the_answers_come_in_order_and_stand_in_the_ledger_once(run: Run, echo: Echo) -> None:
    done = run("map", "--cluster", "local:2", "{}", input=lines(500))
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == [f"answer to r{n}" for n in range(500)]
    assert "map: 500 done, 6000 in, 17000 out" in one_line(done.stderr)
    assert asked(echo) == sorted(f"r{n}" for n in range(500))
    assert requests(run)["requests"] == 500
    assert requests(run)["failed"] == 0


def test_each_process_asks_side_by_side(run: Run, echo: Echo) -> None:
    def wait_for_all(handler: Handler, _text: str, _number: int) -> None:
        wait_until(lambda: handler.server.most >= 6)

    echo.fault = wait_for_all
    done = run("map", "--cluster", "local:2", "-j", "3", "{}", input=lines(30))
    assert done.returncode == 0, done.stderr
    assert echo.most == 6


def test_a_record_that_waits_for_others_is_asked_at_once(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """A batch is not waited for: its first record has its answer before the second one comes."""
    reads, writes = os.pipe()
    process = Process(
        [PROGRAM, "map", "--cluster", "local:1", "{}"],
        env=env, cwd=tmp_path, stdin=reads, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(reads)
    with process, os.fdopen(writes, "wb", 0) as input_:
        assert process.stdout
        for number in range(3):
            input_.write(b"r%d\n" % number)
            assert process.stdout.readline() == b"answer to r%d\n" % number


def test_a_refused_key_ends_the_run_at_once(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, _text, _number: handler.refuse(401)
    done = run("map", "--cluster", "local:2", "{}", input=lines(2000))
    assert done.returncode == 77, done.stderr
    assert len(echo.bodies) <= 2 * 8 * 2


def test_without_a_key_the_run_ends_as_without_a_cluster(run: Run, env: dict[str, str]) -> None:
    env |= {"LLMCLI_API_KEY": "", "LLMCLI_BASE_URL": ""}
    arguments = ("map", "--profile", "openai", "-m", "m", "{}")
    alone = run(*arguments, input=lines(3))
    done = run(*arguments, "--cluster", "local:2", input=lines(3))
    assert alone.returncode == done.returncode == 78, done.stderr
    assert alone.stderr.split(b";")[0] == done.stderr.split(b";")[0]


def test_each_attempt_stands_in_the_ledger(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, _text, number: handler.refuse(500) if number == 0 else None
    done = run("map", "--cluster", "local:2", "--retries", "3", "{}", input=lines(4))
    assert done.returncode == 0, done.stderr
    assert requests(run)["requests"] == 8
    assert requests(run)["failed"] == 4


def test_max_cost_is_kept(run: Run, echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    """No request is sent that might exceed it, whoever sends it."""
    config = tmp_path / "config.toml"
    config.write_text('[prices."*"]\nprompt = 0\ncompletion = 20\n')
    env["LLMCLI_CONFIG"] = str(config)
    options = ("--max-tokens", "100", "--max-cost", "0.2", "--cluster", "local:2")
    done = run("map", *options, "{}", input=lines(500))
    assert done.returncode == 84, done.stderr
    # A request may cost 0.002, and costs 0.00123.
    assert 162 > len(echo.bodies) > 100
    assert requests(run)["usd"] <= 0.2


def test_a_budget_is_kept(run: Run, echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[budget]\nday = 0.2\n[prices."*"]\nprompt = 0\ncompletion = 20\n')
    env["LLMCLI_CONFIG"] = str(config)
    options = ("--max-tokens", "100", "--cluster", "local:2")
    done = run("map", *options, "{}", input=lines(500))
    assert done.returncode == 84, done.stderr
    assert 162 > len(echo.bodies) > 50
    assert requests(run)["usd"] <= 0.2


def test_the_records_of_a_dead_process_are_asked_by_another(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(lines(400))
    echo.hold("r3")
    process = start(env, tmp_path, "--json", "--cluster", "local:3", "-O", "out")
    at = random.randrange(20, 300)
    wait_until(lambda: len(echo.bodies) >= at)
    os.kill(random.choice(workers_of(process)), signal.SIGKILL)
    echo.release()
    _, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stderr
    assert [row["input"] for row in rows_in(tmp_path / "out")] == [f"r{n}" for n in range(400)]
    assert all(row["ok"] for row in rows_in(tmp_path / "out"))


def test_without_processes_the_run_ends(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(lines(400))
    echo.hold("r30")
    process = start(env, tmp_path, "--json", "--cluster", "local:2", "-O", "out")
    wait_until(lambda: (tmp_path / "out").exists() and len(rows_in(tmp_path / "out")) > 20)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    _, stderr = process.communicate(timeout=110)
    assert process.returncode == 68, stderr
    assert b"all worker processes of this machine have ended" in stderr
    assert b"go on with --resume" in stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_ends_the_run_in_order(
    echo: Echo, env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """The whole group gets it, as from a terminal or timeout(1)."""
    (tmp_path / "in").write_bytes(lines(5000))
    echo.hold()
    process = start(env, tmp_path, "--json", "--cluster", "local:2", "-O", "out")
    echo.wait_for(16)
    for one in [*workers_of(process), process.pid]:
        os.kill(one, number)
    echo.release()
    _, stderr = process.communicate(timeout=110)
    assert process.returncode == -number, stderr
    assert len(rows_in(tmp_path / "out")) == len(echo.bodies) < 5000


def test_the_second_signal_ends_it_at_once(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(lines(50))
    echo.hold()
    process = start(env, tmp_path, "--json", "--cluster", "local:2", "-O", "out")
    echo.wait_for(16)
    children = workers_of(process)

    def is_over() -> bool:
        process.send_signal(signal.SIGTERM)  # two that come together count as one
        return process.poll() is not None

    wait_until(is_over)
    assert process.communicate()[0] == b""
    wait_until(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children))


def test_the_processes_end_with_a_run_that_is_killed(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(lines(50))
    echo.hold()
    process = start(env, tmp_path, "--cluster", "local:2")
    echo.wait_for(16)
    children = workers_of(process)
    kill(process)
    wait_until(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children))


def test_long_pauses_are_told_by_one_process(
    run: Run, echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from llmcli.batch.pace import pauses\nfrom llmcli.system import waits\n"
        "waits.NOTICE_AFTER = 0.0\npauses._PERIOD = 0.05\n"
    )
    env["PYTHONPATH"] = str(tmp_path)

    def refuse_first(handler: Handler, _text: str, number: int) -> bool | None:
        return handler.refuse(429, Retry_After="2") if number == 0 else None

    echo.fault = refuse_first
    done = run("map", "--cluster", "local:2", "-j", "2", "{}", input=lines(4))
    assert done.returncode == 0, done.stderr
    assert b"s more for the rate limit" in done.stderr

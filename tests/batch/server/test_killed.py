"""A run by batches that is killed at any step of it: each record once, paid once, in order."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.support.batches import Batches
from tests.support.endpoint import Request
from tests.support.mapping import Process, kill, start
from tests.support.money import PRICED, Config, records
from tests.support.program import Run

RECORDS = b"one\ntwo\nthree\ntwo\n"
STEPS = ("POST /files", "POST /batches", "GET /batches/.*", "GET /files/.*/content")


class Killer:
    """Kills a process at a request: before the server has dealt with it, or after."""

    def __init__(self, batches: Batches, step: str, *, dealt_with: bool) -> None:
        self._step, self._batches = step, batches
        self._reached, self._killed = threading.Event(), threading.Event()
        name = "left" if dealt_with else "arrived"
        setattr(batches, name, self._hook)

    def _hook(self, _request: Request) -> None:
        if self._batches.count(self._step) and not self._killed.is_set():
            self._reached.set()
            self._killed.wait(120)
            raise ConnectionError

    def kill(self, process: Process) -> None:
        assert self._reached.wait(120)
        kill(process)
        self._killed.set()


def settled_once(batches: Batches, home: Path, tmp_path: Path) -> None:
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()
    sent = [request for batch in batches.batches.values() for request in batches.requests_of(batch)]
    assert len(sent) == 4
    settled = Counter(record["id"] for record in records(home))
    billed = [record for record in records(home) if record["cost_usd"]]
    assert len(billed) == 4 and set(settled.values()) == {1}
    assert sum(record["cost_usd"] for record in billed) == pytest.approx(4 * 120e-6)
    assert {record["id"] for record in records(home, "intent")} == set(settled)


@pytest.mark.parametrize("dealt_with", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_request(
    run: Run, batches: Batches, config: Config, env: dict[str, str], home: Path, tmp_path: Path,
    step: str, dealt_with: bool,
) -> None:  # fmt: skip
    config(PRICED)
    killer = Killer(batches, step, dealt_with=dealt_with)
    (tmp_path / "in").write_bytes(RECORDS)
    killer.kill(start(env, tmp_path, "--batch", "-O", "out"))
    done = run("map", "--batch", "-O", "out", "--resume", "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    settled_once(batches, home, tmp_path)


# Kills the process before its n-th write to FILE.progress or the ledger, or in the middle of it.
FAULT = """
import os, signal
at, part, count = int(os.environ["KILL_AT"]), os.environ["KILL_PART"] == "1", 0
write = os.write

def counted(descriptor, data):
    global count
    try:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        path = ""
    if path.endswith((".progress", ".jsonl", ".part")):
        count += 1
        if count == at:
            if part:
                write(descriptor, bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
    return write(descriptor, data)

os.write = counted
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", ["0", "1"])
@pytest.mark.parametrize("at", range(1, 16))
def test_killed_at_a_write(
    run: Run, batches: Batches, config: Config, env: dict[str, str], home: Path, tmp_path: Path,
    at: int, part: str,
) -> None:  # fmt: skip
    config(PRICED)
    (tmp_path / "fault").mkdir()
    (tmp_path / "fault/sitecustomize.py").write_text(FAULT)
    fault = {**env, "PYTHONPATH": str(tmp_path / "fault"), "KILL_AT": str(at), "KILL_PART": part}
    done = run("map", "--batch", "-O", "out", "{}", input=RECORDS, env=fault)
    assert done.returncode in (0, -9), done.stderr.decode()
    if done.returncode:
        done = run("map", "--batch", "-O", "out", "--resume", "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    settled_once(batches, home, tmp_path)
    assert not os.path.exists(tmp_path / "out.unfinished")


def test_several_parts_are_found_again(
    run: Run, batches: Batches, env: dict[str, str], tmp_path: Path
) -> None:
    """Killed when the second file arrives: the first has its batch, the second none."""
    body = '{"messages": [{"role": "user", "content": "hi"}], "model": "%s"}'
    lines = [f'{{"custom_id": "{m}", "body": {body % m}}}' for m in ("m1", "m2", "m3")]
    (tmp_path / "in").write_text("\n".join(lines))
    reached = threading.Event()

    def hook(_request: Request) -> None:
        if batches.count("POST /files") == 2 and not reached.is_set():
            reached.set()
            raise ConnectionError

    batches.arrived = hook
    process = start(env, tmp_path, "--batch", "--requests", "in", "-O", "out", "--retries", "0")
    reached.wait(120)
    kill(process)
    done = run("map", "--batch", "--requests", "in", "-O", "out", "--resume")
    assert done.returncode == 0, done.stderr.decode()
    assert len(batches.batches) == 3
    assert len((tmp_path / "out").read_bytes().splitlines()) == 3


def test_the_newest_files_are_looked_through_page_by_page(
    run: Run, batches: Batches, env: dict[str, str], tmp_path: Path
) -> None:
    batches.page = 2
    (tmp_path / "in").write_bytes(RECORDS)
    killer = Killer(batches, "POST /files", dealt_with=True)
    killer.kill(start(env, tmp_path, "--batch", "-O", "out"))
    for number in range(5):
        batches.add_file(f"other-{number}.jsonl", b"{}\n")
    done = run("map", "--batch", "-O", "out", "--resume", "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    assert batches.count("POST /files") == 1

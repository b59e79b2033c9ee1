"""A run of `map` in which no request may be sent for long says so, once."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmcli.batch.pace.pauses import Pauses
from llmcli.batch.pace.rate_limit import Pace
from tests.support.endpoint import Script, Server, answer, in_turn
from tests.support.faults import error
from tests.support.program import Run

Endpoint = Callable[[Script], Server]


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [100.0], list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pauses = Pauses(told.append)

    def pass_by(*seconds_left: float) -> None:
        for left in seconds_left:
            pauses.look(left)
            now[0] += 5

    pass_by(9, 4, 0, 9, 4, 0)  # short ones
    assert told == []
    pass_by(30, 25, 20, 15, 10, 5, 0)
    assert told == ["waiting 20 s more for the rate limit"]
    pass_by(30, 25, 20, 0)  # as long as the one before
    assert len(told) == 1
    pass_by(120, 115, 110, 105, 0)
    assert told[1:] == ["waiting 110 s more for the rate limit"]


def test_a_pause_of_the_pace() -> None:
    pace = Pace(rpm=1)
    assert pace.pause() <= 0
    with pace.turn():
        assert pace.pause() == 0
    assert 50 < pace.pause() <= 60


@pytest.mark.parametrize("quiet", [False, True])
def test_a_server_that_asks_to_wait(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path, quiet: bool
) -> None:
    folder = tmp_path / "impatient"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "from llmcli.batch.pace import pauses\nfrom llmcli.system import waits\n"
        "waits.NOTICE_AFTER = 0.0\npauses._PERIOD = 0.05\n"
    )
    env["PYTHONPATH"] = str(folder)
    endpoint(in_turn(error("429 T", {}, "Retry-After: 2"), answer("ok")))
    done = run("map", "{}", *(["-q"] if quiet else []), input=b"one\n")
    assert done.stdout == b"ok\n", done.stderr
    assert (b"s more for the rate limit" in done.stderr) == (not quiet)

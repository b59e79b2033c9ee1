"""The bar that shows on a terminal how far a run has come."""

from pathlib import Path

import pytest

from llmcli.batch.results import progress_lines
from llmcli.batch.results.summary import Tally
from tests.support.echo import Echo, lines
from tests.support.program import PROGRAM
from tests.support.terminals import on_a_terminal, read_all, read_until


def test_progress_on_a_terminal_only(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.hold("r9")
    (tmp_path / "in").write_bytes(lines(10))
    script = f"{PROGRAM} map -j 2 '{{}}' < in > out"
    with on_a_terminal(["bash", "-c", script], {**env, "TERM": "xterm"}, tmp_path) as (
        process,
        terminal,
    ):
        meanwhile = read_until(terminal, b"9 done").decode()
        echo.release()
        shown = meanwhile + read_all(terminal).decode()
        assert process.wait(120) == 0
    assert "/s" in shown and "tokens" in shown
    assert "map: 10 done" in shown.splitlines()[-1]
    assert len((tmp_path / "out").read_text().splitlines()) == 10


def test_a_total_where_it_is_known(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("x")
    script = f"{PROGRAM} map --files '*.txt' '{{}}' > out"
    with on_a_terminal(["bash", "-c", script], {**env, "TERM": "xterm"}, tmp_path) as (
        process,
        terminal,
    ):
        shown = read_all(terminal).decode()
        assert process.wait(120) == 0
    assert "4 of 4 done" in shown


def test_plain_lines_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_lines, "EVERY", 0.0)
    said: list[str] = []
    progress_lines.ProgressLines(Tally(str), lambda: None, 7, said.append).update()
    assert said[0].startswith("map: 0 of 7 done, ")

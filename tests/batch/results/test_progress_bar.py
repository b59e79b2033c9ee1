"""The bar that shows on a terminal how far a run has come."""

from pathlib import Path

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

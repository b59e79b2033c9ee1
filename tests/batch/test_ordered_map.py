"""Answers come in the order of the records, or, if that is asked for, as they arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.echo import Echo, lines
from tests.support.mapping import Process, start


@contextmanager
def held_first(echo: Echo, env: dict[str, str], tmp_path: Path, *options: str) -> Iterator[Process]:
    """Run over ten records, the first of which has no answer yet."""
    echo.hold("r0")
    (tmp_path / "in").write_bytes(lines(10))
    with start(env, tmp_path, *options) as process:
        yield process
    assert process.returncode == 0


def test_answers_stand_in_the_order_of_the_input(
    echo: Echo, env: dict[str, str], tmp_path: Path
) -> None:
    """The answer to the first record comes last."""
    with held_first(echo, env, tmp_path) as process:
        echo.wait_for(10, running=1)
        echo.release()
        stdout, _ = process.communicate(timeout=120)
    assert stdout.decode().splitlines() == [f"answer to r{n}" for n in range(10)]


def test_unordered_as_they_come(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    with held_first(echo, env, tmp_path, "--unordered") as process:
        assert process.stdout
        shown = [process.stdout.readline().decode() for _ in range(9)]
        assert sorted(shown) == [f"answer to r{n}\n" for n in range(1, 10)]
        echo.release()
        stdout, _ = process.communicate(timeout=120)
    assert stdout == b"answer to r0\n"

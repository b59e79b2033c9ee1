"""Options of `map` that are refused before anything is sent, and devices as its output."""

from pathlib import Path

import pytest

from tests.support.echo import Echo, lines
from tests.support.program import Run, one_line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume"], "need the FILE of -O"),
        (["--format", "xml"], "one of lines, jsonl, csv, not xml"),
        (["-0", "--format", "csv"], "-0 cannot be combined with --format csv"),
        (["--files", "x", "-0"], "exclude each other"),
        (["-n"], "no records: -n forbids stdin"),
        (["--approve", "--tools", "t", "--run-tools"], "--approve cannot be used with map"),
        (["--delimiter", "ab"], "--delimiter must be one character"),
        (["--delimiter", ";", "--format", "jsonl"], "--delimiter is for CSV"),
        (["--delimiter", ";", "--files", "x"], "exclude each other"),
        (["--requests", "x", "prompt"], "--requests cannot be combined with PROMPT"),
        (["-j", "0"], "-j"),
    ],
)
def test_options_that_do_not_go_together(
    run: Run, echo: Echo, arguments: list[str], words: str
) -> None:
    done = run("map", *arguments, input=b"a\n")
    assert done.returncode == 2
    assert words in one_line(done.stderr)
    assert not echo.bodies


@pytest.mark.parametrize("rpm", ["0", "-5", "nan", "inf", "1e-9"])
def test_rates_that_are_none(run: Run, echo: Echo, rpm: str) -> None:
    done = run("map", f"--rpm={rpm}", "{}", input=lines(2))
    assert done.returncode == 2 and "--rpm must be" in one_line(done.stderr)


def test_a_pattern_that_the_shell_has_read(run: Run, echo: Echo, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("pass")
    done = run("map", "--files", "a.py", "b.py")
    assert done.returncode == 2 and "quote the pattern" in one_line(done.stderr)
    assert not echo.bodies


def test_no_key_no_model_nothing_sent(run: Run, echo: Echo, env: dict[str, str]) -> None:
    del env["LLMCLI_MODEL"]
    done = run("map", "{}", input=lines(10))
    assert done.returncode == 78
    assert not echo.bodies


def test_open_descriptors_are_written_to(run: Run, echo: Echo, tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as out:
        done = run("map", "-O", "/dev/fd/1", "{}", input=b"a\n", stdout=out)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x").read_text() == "answer to a\n"
    done = run("map", "-O", "/dev/null", "--resume", "{}", input=b"a\n")
    assert done.returncode == 2

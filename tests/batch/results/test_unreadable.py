"""Results that cannot be read back: said by name, and nothing of them is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.echo import Echo, lines
from tests.support.program import Run

# Lets the reads of results fail, from the n-th on.
FAULT = """
import errno, os
real, left = os.pread, int(os.environ["READS"])

def pread(descriptor, size, offset):
    global left
    left -= 1
    if left < 0:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return real(descriptor, size, offset)

os.pread = pread
"""


@pytest.fixture
def failing(env: dict[str, str], tmp_path: Path) -> Callable[[int], dict[str, str]]:
    (tmp_path / "fault").mkdir()
    (tmp_path / "fault/sitecustomize.py").write_text(FAULT)
    return lambda reads: {**env, "PYTHONPATH": str(tmp_path / "fault"), "READS": str(reads)}


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_results_that_cannot_be_read_back(
    run: Run, echo: Echo, tmp_path: Path, failing: Callable[[int], dict[str, str]], form: list[str]
) -> None:
    line = ["map", *form, "-j", "1", "-O", "out", "--resume", "{}"]
    assert run(*line[:-2], "{}", input=b"a\nb\n").returncode == 0
    reads = 0
    while True:
        done = run(*line, input=b"a\nc\nb\n", env=failing(reads))
        if done.returncode == 0:
            break
        assert done.returncode == 66, done.stderr
        assert b"cannot read out" in done.stderr and b"Input/output error" in done.stderr
        reads += 1
    assert reads > 3
    answers = (tmp_path / "out").read_text().splitlines()
    texts = [json.loads(answer)["input"] for answer in answers] if form else answers
    assert len(texts) == 3
    # What was answered is never asked again.
    assert len(echo.bodies) == 3


@pytest.mark.parametrize("form", [(), ("--csv",)])
def test_a_damaged_line_is_told_before_its_answer_is_lost(
    run: Run, echo: Echo, tmp_path: Path, form: tuple[str, ...]
) -> None:
    out, kept = tmp_path / "out", tmp_path / "out.progress"
    asking = ("map", *form, "-O", "out", "{}")
    text = b"name\n" * bool(form) + lines(6)
    if form:
        asking = ("map", "--csv", "-O", "out", "{name}")
    assert run(*asking, input=text).returncode == 0
    before = out.read_bytes()
    kept.write_bytes(kept.read_bytes().replace(b"answer to r3", b'answer "to r3'))
    done = run(*asking, "--resume", input=text)
    assert done.returncode == 73, done.stderr
    assert "is damaged; remove that line" in done.stderr.decode()
    assert out.read_bytes() == before

"""Records are cut out of the input, wherever a read of it ends."""

import subprocess

import pytest

from llmcli.batch.input.readers import line_records
from llmcli.batch.input.source import Source
from tests.support.echo import Echo, asked
from tests.support.program import PROGRAM, Run


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_wherever_a_read_ends(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\na\nb\n\nccc\n\xc3\xbc\na"
    blocks = [data[n : n + size] for n in range(0, len(data), size)]
    monkeypatch.setattr("os.read", lambda _descriptor, _size: blocks.pop(0) if blocks else b"")
    found = [record.value for record in line_records(Source(0, "stdin", 10, "10"), b"\n")]
    assert found == ["a", "b", "ccc", "ü", "a"]


@pytest.mark.parametrize("text", [b"1\n2\n1\n", b"a\na\na\n", b"5\n7\n5\n8\n5\n", b"\n\na\n\na"])
def test_short_records_are_records(run: Run, echo: Echo, text: bytes) -> None:
    done = run("map", "{}", input=text)
    expected = [b"answer to " + line for line in text.splitlines() if line]
    assert done.stdout.splitlines() == expected


def test_nul_separated(run: Run, echo: Echo) -> None:
    assert run("map", "-0", "{}", input=b"a\nb\0c\0").returncode == 0
    assert asked(echo) == ["a\nb", "c"]


def test_a_record_that_is_too_large(run: Run, echo: Echo) -> None:
    done = run("map", "--max-input", "10", "{}", input=b"x" * 200_000 + b"\nok\n")
    assert done.returncode == 3
    assert done.stdout == b"\nanswer to ok\n"
    assert asked(echo) == ["ok"]


def test_answers_come_while_the_input_is_still_open(echo: Echo, env: dict[str, str]) -> None:
    with subprocess.Popen(
        [PROGRAM, "map", "{}"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"first\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"answer to first\n"
        process.stdin.close()
        assert process.wait(120) == 0

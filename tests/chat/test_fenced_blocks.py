"""The fenced block of an answer: --extract and --block."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server, answer, in_turn
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]

BLOCKS = [
    ("Here:\n```python\nprint(1)\n```\nDone.\n```\nother\n```", "print(1)\n"),
    ("~~~\na\n```\nb\n~~~", "a\n```\nb\n"),
    ("````md\n```\ninner\n```\n````", "```\ninner\n```\n"),
    ("  ```\n  x\n  ```", "x\n"),
    ("```\r\nx\r\n```\r\n", "x\r\n"),
    ("```sh\ncat <<E\n```js\nx\n```\nE\n```", "cat <<E\n```js\nx\n```\nE\n"),
    ("1. Run:\n\n   ```sh\n   ls |\n     wc\n\n   ```\n", "ls |\n  wc\n\n"),
    ("`inline` and ```not a fence``` here\n```\nx\n```", "x\n"),
]


@pytest.mark.parametrize(("text", "block"), BLOCKS)
def test_extract_the_first_block(run: Run, endpoint: Endpoint, text: str, block: str) -> None:
    endpoint(answer(*text))
    done = run("ask", "-x", "code")
    assert (done.returncode, done.stdout) == (0, block.encode()), done.stderr


@pytest.mark.parametrize(("text", "block"), BLOCKS[:2])
def test_the_block_is_in_the_object(run: Run, endpoint: Endpoint, text: str, block: str) -> None:
    endpoint(answer(*text))
    value = json.loads(run("ask", "-x", "--json", "code").stdout)
    assert value["choices"][0]["message"]["content"] == text
    assert value["llmcli"]["extracted"].rstrip("\n") == block.rstrip("\n")


def test_nothing_to_extract(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("no ```block``` here"))
    done = run("ask", "--extract", "code")
    assert (done.returncode, done.stdout) == (65, b"no ```block``` here")
    assert "the answer has no fenced block to extract" in one_line(done.stderr)


@pytest.mark.parametrize("text", ["```sh\nrm -rf build", "```a\n```b\nx\n```", "```\na\n```\n```"])
def test_fences_that_do_not_add_up_replace_no_file(
    run: Run, endpoint: Endpoint, tmp_path: Path, text: str
) -> None:
    (tmp_path / "out").write_text("old")
    endpoint(answer(text))
    done = run("ask", "-x", "-O", "out", "code")
    assert done.returncode == 65
    assert "the fences of the answer do not add up: a fenced block that opens in" in one_line(
        done.stderr
    )
    assert (tmp_path / "out").read_text() == "old"


SEVERAL = "```sh\na\n```\n```Python title=x\nb\n```\n```{r}\nc\n```\n```sh\nd\n```"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        *(("sh", "a\n"), ("python", "b\n"), ("R", "c\n"), ("last", "d\n")),
        *(("1", "a\n"), ("2", "b\n"), ("4", "d\n")),
    ],
)
def test_one_of_several_blocks(run: Run, endpoint: Endpoint, block: str, text: str) -> None:
    endpoint(answer(SEVERAL))
    done = run("ask", "--block", block, "code")
    assert (done.returncode, done.stdout) == (0, text.encode()), done.stderr


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("5", "no fenced block 5, only 4"),
        ("js", "no fenced block js; its blocks are: sh, python, r, sh"),
    ],
)
def test_a_block_that_is_not_there(run: Run, endpoint: Endpoint, block: str, says: str) -> None:
    endpoint(answer(SEVERAL))
    done = run("ask", "--block", block, "code")
    assert done.returncode == 65 and says in one_line(done.stderr)


@pytest.mark.parametrize("text", ["```\n```", "```sh\n```", "```\n\n```\n"])
def test_an_empty_block_replaces_no_file(
    run: Run, endpoint: Endpoint, tmp_path: Path, text: str
) -> None:
    out = str(tmp_path / "out")
    endpoint(in_turn(answer("```\ngood\n```"), answer(text)))
    assert run("ask", "-x", "-O", out, "code").returncode == 0
    done = run("ask", "-x", "-O", out, "code")
    assert done.returncode == 65
    assert "the first fenced block of the answer is empty" in one_line(done.stderr)
    assert Path(out).read_text() == "good\n"

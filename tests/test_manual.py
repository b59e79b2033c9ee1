"""The manual keeps its word: its pages are found and shown. `test_stranger` runs its examples."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from llmcli.cli import manual
from tests.generated import man
from tests.support.endpoint import Server
from tests.support.manual import DOCUMENTS, PAGES
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all


def test_a_page_a_topic() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(manual.TOPICS)
    assert {path.name for path in man.FOLDER.glob("*.1")} == {p.name for p in man.files()}


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_a_page_can_be_read_at_once(topic: str) -> None:
    lines = DOCUMENTS[topic].read_text().splitlines()
    assert lines[0].startswith(f"# {topic}: ")
    assert len(lines) <= 120


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_a_page_fits_on_a_terminal_of_80_columns(run: Run, topic: str) -> None:
    """But for some lines of scripts and settings that cannot be broken."""
    lines = run("help", topic).stdout.decode().splitlines()
    assert [line for line in lines if len(line) > 80 and not _is_code(line)] == []
    assert max(map(len, lines)) <= 100


def _is_code(line: str) -> bool:
    is_prose = line.startswith(" ") and not line.startswith("    ")
    return not is_prose and bool(re.search(r"""[|"'$=]""", line))


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_help_shows_a_page_without_marks(run: Run, topic: str) -> None:
    done = run("help", topic)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(f"# {topic}: ".encode())
    assert b"```" not in done.stdout and b"<!--" not in done.stdout and b"\x1b" not in done.stdout


def test_help_lists_topics_and_commands(run: Run) -> None:
    listed = run("help").stdout.decode()
    for name in (*manual.TOPICS, "ask", "session"):
        assert f"\n  {name} " in listed


def test_help_of_a_command(run: Run) -> None:
    assert run("help", "session", "show").stdout == run("session", "show", "--help").stdout != b""


def test_words_are_joined(run: Run) -> None:
    assert run("help", "Exit", "Codes").stdout == run("help", "exit-codes").stdout != b""


@pytest.mark.parametrize(
    ("word", "meant"), [("retrys", "retries"), ("codes", "exit-codes"), ("modles", "models")]
)
def test_unknown_topic_names_a_near_one(run: Run, server: Server, word: str, meant: str) -> None:
    done = run("help", word)
    assert (done.returncode, done.stdout, server.requests) == (2, b"", [])
    assert f"did you mean {meant}" in one_line(done.stderr)


def test_a_question_after_help_is_not_sent(run: Run, server: Server) -> None:
    done = run("help", "me", "with", "this")
    assert (done.returncode, server.requests) == (2, [])
    assert "to ask the model" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("pager", "shown"), [("sed s/^/P/", b"P\x1b[1mkeys: "), ("/none", b"\x1b[1mkeys: ")]
)
def test_a_terminal_has_a_pager(env: dict[str, str], pager: str, shown: bytes) -> None:
    """And the page itself where that cannot be run."""
    with on_a_terminal([PROGRAM, "help", "keys"], {**env, "PAGER": pager}) as (process, terminal):
        assert read_all(terminal).startswith(shown)
    assert process.returncode == 0


@pytest.mark.parametrize("path", sorted(man.FOLDER.glob("*.1")), ids=lambda path: path.stem)
def test_man_shows_a_page_on_80_columns(path: Path, env: dict[str, str]) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    variables = {**env, "MANWIDTH": "80", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"}
    line = ["man", "--warnings", "--local-file", str(path)]
    done = subprocess.run(line, env=variables, capture_output=True, check=True)
    assert done.stderr == b""
    wide = [line for line in done.stdout.decode().splitlines() if len(line) > 80]
    assert [line for line in wide if not _is_code(line)] == []

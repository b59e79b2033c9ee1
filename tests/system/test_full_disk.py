"""A disk that takes no byte more: nothing empty is left behind, and what was there stays."""

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import STATE
from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


def full() -> None:
    """Let no file of this process grow. Python ignores the signal, so a write fails by EFBIG."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


# Lets nobody look at the template.
UNSEEN = """
import errno, os
stat = os.stat

def failing(path, *rest, **options):
    if str(path).endswith("t.toml"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return stat(path, *rest, **options)

os.stat = failing
"""


def test_no_empty_session_stays(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    done = run("ask", "-q", "--no-ledger", "--session", "s", "hi", preexec_fn=full)
    assert done.returncode == 74
    assert "cannot write session s" in one_line(done.stderr)
    assert list((home / STATE / "sessions").iterdir()) == []
    assert run("ask", "--session", "s", "hi").returncode == 0


def test_an_empty_session_of_the_user_stays(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x"))
    (tmp_path / "s").touch()
    assert run("ask", "--session", "./s", "hi", preexec_fn=full).returncode == 74
    assert (tmp_path / "s").exists()


def test_no_empty_ledger_stays(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    done = run("ask", "-n", "hi", preexec_fn=full)
    assert done.returncode == 0
    assert b"not recorded" in done.stderr
    assert list((home / STATE / "ledger").iterdir()) == []


@pytest.mark.parametrize("editor", ["true", "truncate -s 0", "rm", "false"])
def test_no_empty_template_stays(run: Run, env: dict[str, str], home: Path, editor: str) -> None:
    env["EDITOR"] = editor
    folder = home / ".config/llmcli/templates"
    done = run("template", "edit", "t", preexec_fn=full)
    assert done.returncode == 73
    assert f"cannot write {folder}/t.toml" in one_line(done.stderr)
    assert list(folder.iterdir()) == []
    assert run("template", "edit", "t").returncode == (78 if editor == "false" else 66)
    assert list(folder.iterdir()) == []


def test_a_template_that_is_there_stays(run: Run, env: dict[str, str], home: Path) -> None:
    folder = home / ".config/llmcli/templates"
    folder.mkdir(parents=True)
    template = folder / "t.toml"
    template.write_text('prompt = "mine"')
    env["EDITOR"] = "true"
    # Whoever cannot look at it does not take it for a new one.
    (home / "sitecustomize.py").write_text(UNSEEN)
    run("template", "edit", "t", env={**env, "PYTHONPATH": str(home)})
    assert template.read_text() == 'prompt = "mine"'


def test_a_link_to_what_does_not_exist_yet_is_followed(
    run: Run, endpoint: Endpoint, home: Path, tmp_path: Path
) -> None:
    endpoint(answer("x"))
    (tmp_path / "link").symlink_to("session.jsonl")
    assert run("ask", "--session", "./link", "hi").returncode == 0
    assert (tmp_path / "session.jsonl").read_text().count("\n") == 1
    (tmp_path / "nowhere").symlink_to("not/there")
    done = run("ask", "-q", "--session", "./nowhere", "hi")
    assert done.returncode == 74
    assert "cannot write session ./nowhere" in one_line(done.stderr)

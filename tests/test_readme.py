"""The README keeps its word: generated parts, commands, examples."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from llmcli.cli.command_table import COMMANDS
from tests.generated import completions, documents, man
from tests.generated.tree import tree
from tests.support.program import ROOT, clean_environment, installer_settings

README = (ROOT / "README.md").read_text()


GENERATED = {**completions.files(), **documents.files(), **man.files()}


@pytest.mark.parametrize("path", list(GENERATED), ids=lambda p: p.name)
def test_generated_text_is_up_to_date(path: Path) -> None:
    assert path.read_text() == GENERATED[path], "run `python -m tests.generated`"


def test_readme_can_be_read_at_once() -> None:
    assert len(README.splitlines()) <= 200
    linked = re.findall(r"\]\((llmcli/.*?)\)", README)
    assert set(linked) == {f"llmcli/help/{path.name}" for path in documents.PAGES.glob("*.md")}


def marked(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)\n```", README, re.S)
    assert found and "\n" not in found[1], name
    return found[1]


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.timeout(900)
def test_first_command_in_a_clean_clone_with_an_empty_home(tmp_path: Path) -> None:
    """Install, pull, answer: as a newcomer copies it."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    tracked = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
    ).splitlines()
    for name in tracked:
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    done = subprocess.run(
        ["bash", "-c", marked("first command")],
        cwd=clone,
        env={**installer_settings(), **clean_environment(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()[-1]) > 1
    assert len(done.stdout.splitlines()[-1]) > 1
    assert "local/smollm2-135m-instruct" in done.stderr
    prefix = clone / ".venv/share"
    for script, place in {
        "llmcli.bash": "bash-completion/completions/llmcli",
        "_llmcli": "zsh/site-functions/_llmcli",
        "llmcli.fish": "fish/vendor_completions.d/llmcli.fish",
    }.items():
        assert (prefix / place).read_bytes() == (ROOT / "completions" / script).read_bytes()
    for page in man.FOLDER.glob("*.1"):
        assert (prefix / "man/man1" / page.name).read_bytes() == page.read_bytes()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert marked("test command").endswith("&& .venv/bin/pytest")
    assert "<!-- test command -->" in (ROOT / ".ci/run").read_text()


def test_every_command_is_known_everywhere() -> None:
    """A new one that is missing from a table is found here."""
    names = tuple(command.path[0] for command in tree().commands)
    assert names == tuple(COMMANDS)
    for name in set(names) - {"help", "completion"}:  # these two show what others say
        assert f"llmcli {name}" in README

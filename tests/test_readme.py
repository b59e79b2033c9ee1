"""The README keeps its word: generated parts, commands, examples."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from llmcli.cli.command_table import COMMANDS
from tests.generated import completions, readme
from tests.generated.tree import tree
from tests.support.program import ROOT, Run, clean_environment, installer_settings

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", [*completions.files(), *readme.files()], ids=lambda p: p.name)
def test_generated_text_is_up_to_date(path: Path) -> None:
    expected = {**completions.files(), **readme.files()}[path]
    assert path.read_text() == expected, "run `python -m tests.generated`"


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
    assert "using the embedded local/smollm2-135m-instruct" in done.stderr
    prefix = clone / ".venv/share"
    for script, place in {
        "llmcli.bash": "bash-completion/completions/llmcli",
        "_llmcli": "zsh/site-functions/_llmcli",
        "llmcli.fish": "fish/vendor_completions.d/llmcli.fish",
    }.items():
        assert (prefix / place).read_bytes() == (ROOT / "completions" / script).read_bytes()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert marked("test command").endswith("&& .venv/bin/pytest")
    assert "<!-- test command -->" in (ROOT / ".ci/run").read_text()


def commands() -> list[str]:
    """Every line of the README that calls llmcli with arguments."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.search(rf"\bllmcli (-|\"|{'|'.join(COMMANDS)})", line)]


# The files that the examples name.
FILES = {
    "talk.json": '[{"role": "user", "content": "hi"}]',
    "person.json": "{}",
    "measured": "23 degrees",
    "home/.config/llmcli/templates/review.toml": 'prompt = "{stdin} {language}"',
}


@pytest.fixture
def files(tmp_path: Path, home: Path) -> None:
    definitions = re.search(r"```json\n(\[.*?)```", README, re.S)
    assert definitions
    call = {"id": "c1", "function": {"name": "weather", "arguments": "{}"}}
    talk = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    asked = [talk[0], {"role": "assistant", "content": None, "tool_calls": [call]}]
    state = "home/.local/state/llmcli"
    made = {
        **FILES,
        "weather.json": definitions[1],
        f"{state}/sessions/trip.jsonl": json.dumps({"messages": talk}) + "\n",
        f"{state}/sessions/asked.jsonl": json.dumps({"messages": asked}) + "\n",
        f"{state}/last-session/all": "trip",
    }
    for name, text in made.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (tmp_path / name).write_text(text)
    (tmp_path / state).chmod(0o700)
    (tmp_path / "weather.sh").write_text("#!/bin/sh\n")
    (tmp_path / "weather.sh").chmod(0o755)


@pytest.mark.parametrize("line", commands())
def test_options_in_examples_exist(run: Run, line: str, files: None) -> None:
    """Each call is parsed by the real program: nothing in the README is a usage error."""
    line = line.replace('$(jq -r .id <<< "$call")', "c1").replace("call=$(", "")
    call = re.split(r"[|;]", line.split("#")[0][line.index("llmcli ") :])[0]
    arguments = shlex.split(re.sub(r"[<>)] ?\S*$|\)$", "", call.split(" <")[0].split(" >")[0]))[1:]
    if arguments[0] not in ("ask", *(a for a in arguments[:1] if a not in COMMANDS)):
        arguments += ["--help"]
    else:
        arguments += ["--dry-run", "-m", "m", "--max-input", "1k"]
        arguments = [a for a in arguments if a not in ("notes.txt", "photo.jpg", "-f")]
        if "--tool-result" in arguments:
            arguments[arguments.index("-c") : arguments.index("-c") + 1] = ["--session", "asked"]
    done = run(*arguments, input=b"piped")
    assert done.returncode == 0, done.stderr


def test_every_command_is_known_everywhere() -> None:
    """A new one that is missing from a table is found here."""
    names = tuple(command.path[0] for command in tree().commands)
    assert names == tuple(COMMANDS)
    for name in set(names) - {"help", "completion"}:  # these two show what others say
        assert f"llmcli {name}" in README

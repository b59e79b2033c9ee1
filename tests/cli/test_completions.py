"""Shell completions, in the real shells, with nothing on PATH that could be started."""

import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llmcli.config.providers import PROVIDERS
from tests.support.completions import bash, shell
from tests.support.program import ROOT, Run
from tests.support.terminals import read_until

Complete = Callable[[str], set[str]]
TEMPLATE = '''
system = "You say {{thing}} to {name}."
prompt = """Review {what} for {name}: {stdin} {prompt}"""
'''
CONFIG = """model = "vendor/big:8b"
[profiles.work]
model = "vendor/small"
[profiles."home"]
"""


@pytest.fixture
def places(home: Path) -> dict[str, str]:
    """A home with a configuration, cached model ids, templates and sessions."""
    files = {
        ".config/llmcli/config.toml": CONFIG,
        ".cache/llmcli/models/example.org.txt": "other/one\nother/two:free\n",
        ".config/llmcli/templates/review.toml": TEMPLATE,
        ".local/state/llmcli/sessions/plan.jsonl": "",
        "notes.txt": "",
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return {"HOME": str(home), "PATH": "/nonexistent", "TERM": "dumb", "LANG": "C.UTF-8"}


def fish(places: dict[str, str], line: str) -> set[str]:
    path = shell("fish")
    script = f"source {ROOT}/completions/llmcli.fish; complete -C '{line}'"
    done = subprocess.run(
        [path, "--no-config", "-c", script],
        env={**places, "PATH": "/usr/bin:/bin"},  # fish itself wants its helpers
        cwd=places["HOME"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {entry.split("\t")[0] for entry in done.stdout.splitlines()}


ZSHRC = """
PROMPT='READY> '
fpath=({root}/completions $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' menu no
LISTMAX=10000
compadd() {{
  if (( ${{argv[(I)-[OAD]]}} )); then builtin compadd "$@"; return; fi
  local -a found
  builtin compadd -O found "$@"
  print -rl -- $found >> $HOME/offers
  builtin compadd "$@"
}}
"""


def zsh(places: dict[str, str], line: str) -> set[str]:
    """What a zsh on a terminal offers at TAB."""
    offers = Path(places["HOME"], "offers")
    offers.unlink(missing_ok=True)
    Path(places["HOME"], ".zshrc").write_text(ZSHRC.format(root=ROOT))
    parent, child = pty.openpty()
    with subprocess.Popen(
        [shell("zsh"), "-d", "-i"],
        env=places,
        cwd=places["HOME"],
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    ) as process:
        os.close(child)
        read_until(parent, b"READY> ")
        os.write(parent, line.encode() + b"\t")
        os.write(parent, b"\x15print DO''NE\n")
        read_until(parent, b"DONE")
        process.kill()
    os.close(parent)
    return set(offers.read_text().split("\n")) - {""} if offers.exists() else set()


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


@pytest.fixture(params=SHELLS)
def complete(request: pytest.FixtureRequest, places: dict[str, str]) -> Complete:
    function = SHELLS[request.param]
    return lambda line: function(places, line)


def test_commands(complete: Complete) -> None:
    offered = complete("llmcli ")
    assert {"ask", "config", "local"} <= offered
    assert {"check", "path", "show"} <= complete("llmcli config ")
    assert {"pull", "list", "remove"} <= complete("llmcli local ")


def test_options_of_a_command_and_of_the_default(complete: Complete) -> None:
    assert {"--model", "--max-tokens", "--max-input"} <= complete("llmcli ask --m")
    assert "--model" in complete("llmcli --mod")
    assert "--model" in complete("llmcli --json --mod")
    assert "--json" in complete("llmcli config show --")
    assert "--model" not in complete("llmcli config show --")


def test_profiles(complete: Complete) -> None:
    assert complete("llmcli ask --profile ") == {"work", "home", *PROVIDERS}
    assert complete("llmcli config show --profile w") == {"work"}


def test_profiles_without_a_configuration(complete: Complete, home: Path) -> None:
    (home / ".config/llmcli/config.toml").unlink()
    assert complete("llmcli ask --profile open") == {"openai", "openrouter"}
    assert complete("llmcli --profile lla") == {"llama.cpp"}


def test_models_that_are_known_locally(complete: Complete) -> None:
    assert complete("llmcli ask -m ") == {
        "local",
        "vendor/big:8b",
        "vendor/small",
        "other/one",
        "other/two:free",
    }
    assert complete("llmcli -m vendor/s") == {"vendor/small"}


def test_efforts_and_files(complete: Complete) -> None:
    assert complete("llmcli ask --reasoning ") == {"none", "low", "medium", "high"}
    assert "notes.txt" in complete("llmcli ask -f not")


def test_bash_offers_what_follows_the_colon(places: dict[str, str]) -> None:
    """bash has split the word there and would put the head in twice."""
    assert bash(places, "llmcli ask -m other/two:f") == {"free"}


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (b"ask -m other/two:f\t --mod\t", b"ask -m other/two:free --model "),
        (
            b"--model=other/t\t -mvendor/s\t -s @not\t",
            b"--model=other/two:free -mvendor/small -s @notes.txt",
        ),
    ],
)
def test_bash_on_a_terminal(places: dict[str, str], typed: bytes, completed: bytes) -> None:
    parent, child = pty.openpty()
    with subprocess.Popen(
        [shell("bash"), "--norc", "--noprofile", "-i"],
        env=places,
        cwd=places["HOME"],
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    ) as process:
        os.close(child)
        os.write(parent, f"source {ROOT}/completions/llmcli.bash; PS1='READY''> '\n".encode())
        read_until(parent, b"READY> ")
        os.write(parent, b"llmcli " + typed + b"\x01echo '<'\x05'>'\n")
        read_until(parent, b"<llmcli " + completed + b">")
        process.kill()
    os.close(parent)


def test_names_of_templates_and_sessions(complete: Complete) -> None:
    assert complete("llmcli ask -t ") == complete("llmcli template show re") == {"review"}
    assert complete("llmcli ask --session ") == complete("llmcli session show p") == {"plan"}
    assert complete("llmcli --continue --template r") == {"review"}
    assert {"plan"} <= complete("llmcli session remove ")
    assert {"list", "show", "remove", "export"} <= complete("llmcli session ")


def values(offered: set[str]) -> set[str]:
    """What is offered as a value: a shell may offer the option that is joined to it as well."""
    return {re.sub(r"^(--[a-z-]+=|-[a-z](?=[^-]))?@?", "", one) for one in offered}


def test_a_value_that_is_joined_to_its_option(complete: Complete) -> None:
    assert values(complete("llmcli ask --model=vendor/s")) == {"vendor/small"}
    assert values(complete("llmcli ask -mvendor/s")) == {"vendor/small"}
    assert values(complete("llmcli --model=vendor/s")) == {"vendor/small"}
    assert values(complete("llmcli -mvendor/s")) == {"vendor/small"}
    assert values(complete("llmcli ask --reasoning=l")) == {"low"}
    assert values(complete("llmcli ask -tre")) == {"review"}
    assert "notes.txt" in values(complete("llmcli ask --file=not"))


def test_files_behind_an_at_sign(complete: Complete) -> None:
    assert values(complete("llmcli ask -s @not")) == {"notes.txt"}
    assert values(complete("llmcli ask --system=@not")) == {"notes.txt"}
    assert values(complete("llmcli ask hi -s @not")) == {"notes.txt"}


def test_options_behind_a_prompt(complete: Complete) -> None:
    for line in ("llmcli ask hi --mod", "llmcli hi there --mod", "llmcli -q hi --mod"):
        assert "--model" in complete(line)
    assert complete("llmcli ask hi --reasoning ") == {"none", "low", "medium", "high"}


def test_values_that_are_words(complete: Complete) -> None:
    assert complete("llmcli map --format ") == {"lines", "jsonl", "csv"}
    units = {"day", "week", "month", "model", "tag", "session", "profile", "command"}
    assert complete("llmcli usage --by ") == units
    assert complete("llmcli usage --by m") == {"month", "model"}
    assert complete("llmcli completion ") - {"-h", "--help"} == {"bash", "zsh", "fish"}
    assert complete("llmcli help ma") == {"map"}


def test_variables_of_the_template(complete: Complete) -> None:
    assert complete("llmcli ask -t review -p ") == {"name=", "what="}
    assert complete("llmcli ask --template review --param w") == {"what="}
    assert complete("llmcli ask -p ") == set()


@pytest.mark.parametrize("name", ["llmcli.bash", "_llmcli", "llmcli.fish"])
def test_the_command_prints_the_same_script(run: Run, name: str) -> None:
    shell_name = {"_llmcli": "zsh"}.get(name, name.rpartition(".")[2])
    done = run("completion", shell_name)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (ROOT / "completions" / name).read_bytes()

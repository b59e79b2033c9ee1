"""The command of a hint fits the installation."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llmcli.system import extras
from tests.support.program import ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def name(requirement: str) -> str:
    return re.split(r"[<>= ]", requirement)[0].lower()


@pytest.mark.parametrize("extra", [name for name in EXTRAS if name != "dev"])
def test_it_names_the_packages_of_the_extra(extra: str) -> None:
    begin = f"run {sys.executable} -m pip install "
    hint = extras.how_to_install(extra)
    assert hint.startswith(begin)
    packages = [word.strip("'") for word in hint.removeprefix(begin).split()]
    assert [name(one) for one in packages] == [name(one) for one in EXTRAS[extra]]


def test_the_shell_can_read_it() -> None:
    """A bound such as <5 is no redirection."""
    command = extras.how_to_install("schema").removeprefix("run ")
    words = subprocess.check_output(["sh", "-c", f"printf '%s\\n' {command}"], text=True)
    assert "jsonschema<5,>=4.23" in words.splitlines()


def test_pipx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert extras.how_to_install("socks").startswith("run pipx inject llmcli ")


def test_uv_which_has_no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    begin = f"run uv pip install --python {sys.executable} "
    assert extras.how_to_install("socks").startswith(begin)

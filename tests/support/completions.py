"""Completions in real shells, with nothing on PATH that could be started."""

import os
import shutil
import subprocess

import pytest

from tests.support.program import ROOT


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        assert "CI" not in os.environ, f"{name} must be installed where CI runs"
        pytest.skip(f"{name} is not installed")
    return path


def bash(places: dict[str, str], line: str) -> set[str]:
    """What bash offers for `line`. Its own splitting at : and = is imitated."""
    script = f"""
    source {ROOT}/completions/llmcli.bash
    compopt() {{ :; }}
    COMP_WORDBREAKS=' :='
    COMP_LINE={line!r} COMP_WORDS=({line.replace(":", " : ")}{" ''" if line.endswith(" ") else ""})
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    _llmcli
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", script],
        env=places,
        cwd=places["HOME"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}

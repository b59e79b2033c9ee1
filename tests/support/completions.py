"""Completions in real shells, with nothing on PATH that could be started."""

import os
import shutil
import subprocess

import pytest

from tests.support.program import ROOT

# As bash has them by itself: white space, quotes and @><=;|&(:
BREAKS = r"""$' \t\n"\'@><=;|&(:'"""


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        assert "CI" not in os.environ, f"{name} must be installed where CI runs"
        pytest.skip(f"{name} is not installed")
    return path


def bash(places: dict[str, str], line: str) -> set[str]:
    """What bash offers for `line`: what follows the last of the characters it breaks words at."""
    script = f"""
    source {ROOT}/completions/llmcli.bash
    compopt() {{ :; }}
    COMP_WORDBREAKS={BREAKS}
    COMP_LINE={line!r} COMP_POINT={len(line)}
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

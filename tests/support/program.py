"""The program under test: where it is, how it is run, what it says."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = str(Path(sys.executable).with_name("llmcli"))

# A real key's shape, so that a leak can be searched for.
KEY = "sk-test-0123456789abcdef0123456789abcdef"

Run = Callable[..., subprocess.CompletedProcess[bytes]]

Tools = Callable[..., list[str]]
At = Callable[[datetime], dict[str, str]]


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing of the developer's own settings."""
    kept = ("PATH", "LANG", "SYSTEMROOT", "TMPDIR", "LLMCLI_SHORT", "COVERAGE_PROCESS_CONFIG")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    return {**variables, "HOME": str(home), "NO_PROXY": "*"}


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def installer_settings() -> dict[str, str]:
    """What the user has set for pip: mirrors and certificates, in variables or a file."""
    names = ("PIP_", "SSL_", "REQUESTS_CA_BUNDLE", "HTTP")
    settings = {name: value for name, value in os.environ.items() if name.startswith(names)}
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (base / "pip/pip.conf", Path.home() / ".pip/pip.conf"):
        if path.exists():
            settings.setdefault("PIP_CONFIG_FILE", str(path))
    return settings


def shell(env: dict[str, str], script: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a bash script in which "$0" is llmcli."""
    return subprocess.run(
        ["bash", "-c", script, PROGRAM],
        env=env,
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=120,
    )


def one_line(stderr: bytes) -> str:
    """The only line of `stderr`."""
    lines = stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]

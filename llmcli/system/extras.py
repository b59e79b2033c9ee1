"""How to add an extra to this installation of llmcli, wherever it stands."""

import sys
from pathlib import Path


def how_to_install(extra: str) -> str:
    """Return a hint with the command line that adds what the extra `extra` needs.

    It names the packages themselves: llmcli may have been installed from a folder that is gone.
    """
    import shlex  # noqa: PLC0415  # loaded only for this hint

    return f"run {shlex.join([*_installer(), *_requirements(extra)])}"


def _requirements(extra: str) -> list[str]:
    """Return the packages of `extra` with their bounds, such as `jsonschema<5,>=4.23`."""
    from importlib.metadata import requires  # noqa: PLC0415  # slow, and loaded only for this hint

    found = (line.partition(";") for line in requires("llmcli") or [])
    return [
        package.strip()
        for package, _, marker in found
        if marker.replace('"', "'").strip() == f"extra == '{extra}'"
    ]


def _installer() -> list[str]:
    """Return the command that installs packages beside llmcli."""
    from importlib.util import find_spec  # noqa: PLC0415  # loaded only for this hint

    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return ["pipx", "inject", "llmcli"]
    if not find_spec("pip"):  # uv makes environments without it
        return ["uv", "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", *_user()]


def _user() -> list[str]:
    """Return the option of pip for a llmcli that was installed with it."""
    import site  # noqa: PLC0415  # loaded only for this hint

    own = Path(__file__).is_relative_to(site.getusersitepackages())
    return ["--user"] if own else []

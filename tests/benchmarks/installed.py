"""llmcli as a user has it, and the programs beside it: each in a virtual environment of its own."""

import importlib.metadata
import os
import subprocess
import venv
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
_CACHE = _CHECKOUT / ".benchmarks"
_TOOLS = ("pip", "setuptools")  # every environment has them
# shell-gpt imports click without requiring it.
PEERS: dict[str, tuple[str, ...]] = {
    "llm": (),
    "shell-gpt": ("click",),
    "openai": (),
    "httpie": (),
    "aiohttp": (),
}


def program(package: str, name: str) -> str:
    return str(_CACHE / package / "bin" / name)


def set_up() -> None:
    """Peers are kept from the last time; remove .benchmarks for newer ones."""
    for package, missing in PEERS.items():
        if not Path(program(package, "installed")).exists():
            _install(package, package, *missing)
            Path(program(package, "installed")).touch()
    # Not editable, and always what the checkout is now.
    _install("llmcli", "--force-reinstall", "--no-deps", str(_CHECKOUT))
    _install("llmcli", str(_CHECKOUT))


def versions(package: str) -> str:
    """All that is installed with it."""
    places = [str(path) for path in (_CACHE / package).glob("lib/python*/site-packages")]
    found = importlib.metadata.distributions(path=places)
    named = {one.name.replace("_", "-"): one.version for one in found if one.name not in _TOOLS}
    first = named.pop(package)
    others = ", ".join(f"{name} {version}" for name, version in sorted(named.items()))
    return f"{package} {first} with {others}"


def _install(package: str, *what: str) -> None:
    if not (_CACHE / package).exists():
        # By the pip of today: that of an older Python writes scripts that import `re` first.
        venv.create(_CACHE / package, with_pip=True, symlinks=True, upgrade_deps=True)
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    pip = [program(package, "python"), "-m", "pip", "install", "-qq", *what]
    subprocess.run(pip, env=environment, check=True)

"""Put the files that llmcli 0.1 wrote, in data/version_0_1, where they are looked for."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "version_0_1"
STATE = ".local/state/llmcli"
_PLACES = {"config": ".config/llmcli", "state": STATE, "cache": ".cache/llmcli"}


def move_in(home: Path) -> None:
    """Copy configuration, state and cache, for their owner only, as git keeps no such mode."""
    for name, place in _PLACES.items():
        shutil.copytree(DATA / "home" / name, home / place)
        for path in (home / place, *(home / place).rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)


def stand_in(env: dict[str, str], base_url: str) -> None:
    """Let the server at `base_url` answer as the proxy of the host that config.toml names."""
    for name in [name for name in env if name.startswith("LLMCLI_")]:
        del env[name]
    env |= {"NO_PROXY": "", "HTTP_PROXY": base_url.removesuffix("/v1")}


def expected(name: str) -> Any:
    """Read what 0.1 said of its own files."""
    return json.loads((DATA / "expected" / f"{name}.json").read_bytes())


def as_far_as(old: Any, new: Any) -> Any:
    """Leave out of `new` the fields that `old` has not, as 0.1 knew none of them."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: as_far_as(old[key], value) for key, value in new.items() if key in old}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [as_far_as(*pair) for pair in zip(old, new, strict=True)]
    return new


@dataclass(frozen=True)
class OldRun:
    """Describe a run of `map`: its command line, and what 0.1 itself asked when it went on with it.

    `folder` is where it ran, `input` what was on its stdin, `exit_code` that of the run that goes
    on: 3 where a record can never be asked.
    """

    folder: Path
    arguments: list[str]
    input: bytes
    asked: list[str]
    asked_by_retry: list[str]
    exit_code: int

    @property
    def results(self) -> dict[str, bytes]:
        """Read FILE, and what stands beside it."""
        return {path.name: path.read_bytes() for path in self.folder.glob("out*")}

    @property
    def is_text(self) -> bool:
        """Tell the form that is not JSON lines."""
        return "--json" not in self.arguments and "--requests" not in self.arguments


def old_runs() -> list[str]:
    """Name all of them."""
    return sorted(path.name for path in (DATA / "maps").iterdir())


def old_run(name: str, folder: Path) -> OldRun:
    """Copy the files of a run to `folder`."""
    shutil.copytree(DATA / "maps" / name, folder)
    about = json.loads((folder / "run.json").read_bytes())
    stdin = about.pop("input")
    return OldRun(folder, input=(folder / stdin).read_bytes() if stdin else b"", **about)

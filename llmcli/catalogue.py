"""The model ids an endpoint has listed, kept for completions and near names; never an error."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from . import url
from .environment import Environment


def _file(environment: Environment, base_url: str) -> Path:
    name = re.sub(r"[^\w.-]", "_", url.host_of(base_url))
    return environment.cache_directory / "models" / f"{name}.txt"


def remember(environment: Environment, base_url: str, ids: Sequence[str]) -> None:
    """One id a line, replaced in one step. Shells read the file as it is."""
    target = _file(environment, base_url)
    scratch = target.with_suffix(f".{os.getpid()}")
    clean = [i for i in ids if i.isprintable() and not any(c.isspace() for c in i)]
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.touch(mode=0o600)
        scratch.write_text("".join(f"{i}\n" for i in clean), encoding="utf-8")
        scratch.replace(target)
    except OSError:
        pass


def known(environment: Environment, base_url: str) -> list[str]:
    try:
        return _file(environment, base_url).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []

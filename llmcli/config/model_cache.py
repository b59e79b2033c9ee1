"""The models that endpoints have listed, kept in the cache directory, a file an endpoint."""

import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmcli.api.models import Catalogue, Model, count, spelled, table, texts
from llmcli.api.usage import Price, amount
from llmcli.config import url
from llmcli.system.atomic_file import replace_file
from llmcli.system.dataclass import asdict
from llmcli.system.environment import Environment

_VERSION = 1


def _file(environment: Environment, base_url: str, suffix: str) -> Path:
    name = re.sub(r"[^\w.-]", "_", url.host_of(base_url))
    return environment.cache_directory / "models" / f"{name}{suffix}"


def remember_models(environment: Environment, base_url: str, models: Sequence[Model]) -> None:
    """Replaced in one step; never an error, but said. Shells read the ids, one a line, as they
    are."""
    kept = {"version": _VERSION, "time": time.time(), "models": [asdict(m) for m in models]}
    ids = (m.id for m in models if not any(c.isspace() for c in m.id))
    path = _file(environment, base_url, ".json")
    try:
        _replace(path, json.dumps(kept, default=str))
        _replace(path.with_suffix(".txt"), "".join(f"{i}\n" for i in ids))
    except OSError as error:
        environment.note(f"warning: the list is not kept: cannot write {path}: {error.strerror}")


def _replace(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(target, text.encode())


def cached(environment: Environment, base_url: str) -> Catalogue | None:
    """What is remembered; None if there is nothing that can be read."""
    kept = _read(environment, base_url)
    when = kept.get("time")
    if not kept or not isinstance(when, (int, float)) or not math.isfinite(when):
        return None
    return Catalogue([_kept(entry) for entry in _entries(kept)], when)


def find_model(environment: Environment, base_url: str, name: str) -> Model | None:
    """As `Catalogue.find`, without making all the others."""
    wanted = spelled(name)
    entries = _entries(_read(environment, base_url))
    near = [e for e in entries if e["id"] == name or spelled(e["id"]) == wanted]
    near.sort(key=lambda entry: bool(entry["id"] != name))
    return _kept(near[0]) if near else None


def _read(environment: Environment, base_url: str) -> dict[str, Any]:
    """The file; {} for one that is not there, torn, or of another version."""
    try:
        kept = json.loads(_file(environment, base_url, ".json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) and kept.get("version") == _VERSION else {}


def _entries(kept: dict[str, Any]) -> list[dict[str, Any]]:
    entries = kept.get("models")
    listed = entries if isinstance(entries, list) else []
    return [e for e in listed if isinstance(e, dict) and isinstance(e.get("id"), str)]


def _kept(entry: dict[str, Any]) -> Model:
    """Believed no more than what a server sends."""
    price = table(entry, "price")
    return Model(
        id=entry["id"],
        context=count(entry, "context"),
        max_output=count(entry, "max_output"),
        price=Price(**{name: amount(price.get(name)) for name in Price.__dataclass_fields__}),
        inputs=texts(entry.get("inputs")),
        parameters=texts(entry.get("parameters")),
        free=entry.get("free") is True,
        recommended=entry.get("recommended") is True,
    )


def known(environment: Environment, base_url: str) -> list[str]:
    catalogue = cached(environment, base_url)
    return catalogue.ids() if catalogue else []

"""The models that an endpoint has listed: what they take, what they cost; kept in the cache.

Two forms are read: OpenAI's `{"data": [{"id"}]}`, and the same with `context_length`, `pricing` in
USD a token, `architecture.input_modalities` and `supported_parameters`.
"""

import json
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmcli.api.usage import Price, amount, tokens
from llmcli.config import url
from llmcli.system.dataclass import asdict, dataclass, field, replace
from llmcli.system.environment import Environment

_VERSION = 1


@dataclass(frozen=True)
class Model:
    """`context` and `max_output` in tokens; `inputs` such as text and image; None: not said."""

    id: str
    context: int | None = None
    max_output: int | None = None
    price: Price = field(default_factory=Price)
    inputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    free: bool = False
    recommended: bool = False


@dataclass(frozen=True)
class Catalogue:
    """`time`: when it was fetched, in seconds since 1970."""

    models: Sequence[Model]
    time: float

    def ids(self) -> list[str]:
        return [model.id for model in self.models]

    def find(self, name: str) -> Model | None:
        """By its id; `claude-sonnet-4-6` and `claude-sonnet-4.6` are spellings of one."""
        wanted = _spelled(name)
        exact = (model for model in self.models if model.id == name)
        near = (model for model in self.models if _spelled(model.id) == wanted)
        return next(exact, None) or next(near, None)

    @property
    def age(self) -> float:
        """In seconds; 0 where the clock was set back."""
        return max(0.0, time.time() - self.time)


def _spelled(name: str) -> str:
    return re.sub(r"(?<=\d)[-.](?=\d)", ".", name)


def read(listed: Any) -> list[Model]:
    """The models in a reply, in its order; [] for what is no list of models."""
    while isinstance(listed, dict):
        listed = listed.get("data", listed.get("models"))
    entries = listed if isinstance(listed, list) else []
    found = [_model(e) for e in entries if isinstance(e, dict) and isinstance(e.get("id"), str)]
    return [model for model in found if model.id.isprintable() and model.id.strip()]


def _model(entry: dict[str, Any]) -> Model:
    price = Price.of(entry.get("pricing"))
    provider, architecture = _table(entry, "top_provider"), _table(entry, "architecture")
    return Model(
        id=entry["id"],
        context=_count(entry, "context_length", "context_window", "max_model_len"),
        max_output=_count(provider, "max_completion_tokens") or _count(entry, "max_output_tokens"),
        price=price,
        inputs=_texts(architecture.get("input_modalities")),
        parameters=_texts(entry.get("supported_parameters")),
        free=(price.prompt == price.completion == 0) or entry["id"].endswith(":free"),
    )


def _table(entry: dict[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def _count(entry: dict[str, Any], *keys: str) -> int | None:
    return next((count for key in keys if (count := tokens(entry.get(key)))), None)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _file(environment: Environment, base_url: str, suffix: str) -> Path:
    name = re.sub(r"[^\w.-]", "_", url.host_of(base_url))
    return environment.cache_directory / "models" / f"{name}{suffix}"


def remember(environment: Environment, base_url: str, models: Sequence[Model]) -> None:
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
    scratch = target.with_suffix(f".{os.getpid()}")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch.touch(mode=0o600)
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(target)


def cached(environment: Environment, base_url: str) -> Catalogue | None:
    """What is remembered; None if there is nothing that can be read."""
    kept = _read(environment, base_url)
    when = kept.get("time")
    if not kept or not isinstance(when, (int, float)) or not math.isfinite(when):
        return None
    return Catalogue([_kept(entry) for entry in _entries(kept)], when)


def lookup(environment: Environment, base_url: str, name: str) -> Model | None:
    """As `Catalogue.find`, without making all the others."""
    spelled = _spelled(name)
    entries = _entries(_read(environment, base_url))
    near = [e for e in entries if e["id"] == name or _spelled(e["id"]) == spelled]
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
    price = _table(entry, "price")
    return Model(
        id=entry["id"],
        context=_count(entry, "context"),
        max_output=_count(entry, "max_output"),
        price=Price(**{name: amount(price.get(name)) for name in Price.__dataclass_fields__}),
        inputs=_texts(entry.get("inputs")),
        parameters=_texts(entry.get("parameters")),
        free=entry.get("free") is True,
        recommended=entry.get("recommended") is True,
    )


def known(environment: Environment, base_url: str) -> list[str]:
    catalogue = cached(environment, base_url)
    return catalogue.ids() if catalogue else []


def marked(models: Sequence[Model], recommended: Any) -> Iterator[Model]:
    """With the vendor's picks: `{"recommended": [...], "free": [...]}`."""
    picks = recommended if isinstance(recommended, dict) else {}
    names, free = _names(picks.get("recommended")), _names(picks.get("free"))
    for model in models:
        is_free, picked = model.free or model.id in free, model.id in names
        yield replace(model, free=is_free, recommended=picked)


def _names(picks: Any) -> set[str]:
    """Ids, or objects that have one."""
    entries = picks if isinstance(picks, list) else []
    ids = [entry.get("id") if isinstance(entry, dict) else entry for entry in entries]
    return {identity for identity in ids if isinstance(identity, str)}

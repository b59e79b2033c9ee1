"""The models that an endpoint has listed: what they take, what they cost; as it lists them.

Two forms are read: OpenAI's `{"data": [{"id"}]}`, and the same with `context_length`, `pricing` in
USD a token, `architecture.input_modalities` and `supported_parameters`.
"""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from llmcli.api.usage import Price, tokens
from llmcli.system.dataclass import dataclass, field, replace


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
        wanted = spelled(name)
        exact = (model for model in self.models if model.id == name)
        near = (model for model in self.models if spelled(model.id) == wanted)
        return next(exact, None) or next(near, None)

    @property
    def age(self) -> float:
        """In seconds; 0 where the clock was set back."""
        return max(0.0, time.time() - self.time)


def spelled(name: str) -> str:
    return re.sub(r"(?<=\d)[-.](?=\d)", ".", name)


def read_models(listed: Any) -> list[Model]:
    """The models in a reply, in its order; [] for what is no list of models."""
    while isinstance(listed, dict):
        listed = listed.get("data", listed.get("models"))
    entries = listed if isinstance(listed, list) else []
    found = [_model(e) for e in entries if isinstance(e, dict) and isinstance(e.get("id"), str)]
    return [model for model in found if model.id.isprintable() and model.id.strip()]


def _model(entry: dict[str, Any]) -> Model:
    price = Price.of(entry.get("pricing"))
    provider, architecture = table(entry, "top_provider"), table(entry, "architecture")
    return Model(
        id=entry["id"],
        context=count(entry, "context_length", "context_window", "max_model_len"),
        max_output=count(provider, "max_completion_tokens") or count(entry, "max_output_tokens"),
        price=price,
        inputs=texts(architecture.get("input_modalities")),
        parameters=texts(entry.get("supported_parameters")),
        free=(price.prompt == price.completion == 0) or entry["id"].endswith(":free"),
    )


def table(entry: dict[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def count(entry: dict[str, Any], *keys: str) -> int | None:
    return next((count for key in keys if (count := tokens(entry.get(key)))), None)


def texts(value: Any) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


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

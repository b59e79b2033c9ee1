"""The models that an endpoint lists: what they take and what they cost.

Two forms of the list are read: OpenAI's `{"data": [{"id": …}]}`, and that of Cline and OpenRouter,
which adds `context_length`, `pricing` in USD for a token, `architecture.input_modalities` and
`supported_parameters`.
"""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from llmcli.api.reply.cost import Price
from llmcli.api.reply.usage import tokens
from llmcli.system.dataclass import dataclass, field, replace


@dataclass(frozen=True)
class Model:
    """A model as its endpoint describes it; None, or an empty tuple, stands for what it leaves out.

    `context` and `max_output` are in tokens. `inputs` are kinds such as text and image,
    `parameters` the fields of a request that the model takes. `recommended` says that the vendor
    recommends the model. `price_source` names the list that the price was taken from where the
    endpoint itself lists none, with the date of that list.
    """

    id: str
    context: int | None = None
    max_output: int | None = None
    price: Price = field(default_factory=Price)
    inputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    free: bool = False
    recommended: bool = False
    price_source: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """The models of an endpoint; `time` is when they were fetched, in seconds since 1970."""

    models: Sequence[Model]
    time: float

    def ids(self) -> list[str]:
        """Return the ids of all models, in the endpoint's order."""
        return [model.id for model in self.models]

    def find(self, name: str) -> Model | None:
        """Return the model with the id `name`, else one whose id is spelled differently, or None.

        `claude-sonnet-4-6` and `claude-sonnet-4.6` are two spellings of one id.
        """
        wanted = spelled(name)
        exact = (model for model in self.models if model.id == name)
        near = (model for model in self.models if spelled(model.id) == wanted)
        return next(exact, None) or next(near, None)

    @property
    def age(self) -> float:
        """Return the seconds since the models were fetched; 0 if the clock was set back."""
        return max(0.0, time.time() - self.time)


def spelled(name: str) -> str:
    """Return `name` with its version numbers spelled with dots, so that spellings can be compared.

    `claude-sonnet-4-6` becomes `claude-sonnet-4.6`.
    """
    return re.sub(r"(?<=\d)[-.](?=\d)", ".", name)


def read_models(listed: Any) -> list[Model]:
    """Return the models in the JSON of a reply, in its order; [] if it is not a list of models.

    The list may stand alone, or below `data` or `models`, which may be nested. Models without a
    printable id are left out.
    """
    while isinstance(listed, dict):
        listed = listed.get("data", listed.get("models"))
    entries = listed if isinstance(listed, list) else []
    models = [_model(e) for e in entries if isinstance(e, dict) and isinstance(e.get("id"), str)]
    # A control character in an id would reach the terminal, and the shells' completions.
    return [model for model in models if model.id.isprintable() and model.id.strip()]


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
        # OpenRouter marks a free variant of a model by its suffix, whatever the price says.
        free=(price.prompt == price.completion == 0) or entry["id"].endswith(":free"),
    )


def table(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object at `key` of `entry`; {} if there is anything else."""
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def count(entry: dict[str, Any], *keys: str) -> int | None:
    """Return the first count of tokens above 0 at one of the `keys` of `entry`, or None."""
    return next((count for key in keys if (count := tokens(entry.get(key)))), None)


def texts(value: Any) -> tuple[str, ...]:
    """Return the strings in a list; () if `value` is not a list."""
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def with_recommendations(models: Sequence[Model], recommended: Any) -> Iterator[Model]:
    """Yield `models` with the marks that the vendor's list of picks adds: recommended and free.

    `recommended` is the JSON of that list: `{"recommended": […], "free": […]}`.
    """
    picks = recommended if isinstance(recommended, dict) else {}
    names, free = _names(picks.get("recommended")), _names(picks.get("free"))
    for model in models:
        is_free, picked = model.free or model.id in free, model.id in names
        yield replace(model, free=is_free, recommended=picked)


def _names(picks: Any) -> set[str]:
    """Return the ids in a list of ids, or of objects that have one."""
    entries = picks if isinstance(picks, list) else []
    ids = [entry.get("id") if isinstance(entry, dict) else entry for entry in entries]
    return {identity for identity in ids if isinstance(identity, str)}

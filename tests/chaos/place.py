"""A home and a working directory to break things in, and the rules that hold whatever breaks."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmcli.errors import ExitCode
from tests.support.endpoint import USAGE, Request, Server, Wire, answer, broken, serving
from tests.support.program import KEY, PROGRAM, clean_environment

Done = subprocess.CompletedProcess[bytes]
STATE, CONFIG = "home/.local/state/llmcli", "home/.config/llmcli"
OLD = b"yesterday\n"
TEMPLATE = 'prompt = "say {word}"\n'
# Seconds after which a run counts as one that hangs, however busy the machine is.
PATIENCE = 120
HANGS = b"\nit hangs"
# How a run may end. A defect of llmcli (70) is never right, and neither is an unknown code (1).
CODES = {int(code) for code in ExitCode} - {ExitCode.INTERNAL, ExitCode.ERROR}


def reply_to(prompt: str) -> str:
    """Return the answer of the endpoint to `prompt`."""
    return f"answer to {prompt}"


def script(wire: Wire, request: Request) -> None:
    """Answer a request as an endpoint does; a prompt that begins with "break" breaks off."""
    if request.method == "GET":
        return wire.json({"data": [{"id": "m"}, {"id": "n"}]})
    prompt = str(request.json["messages"][-1]["content"])
    if prompt.startswith("break"):
        return broken(wire, request)
    return answer(reply_to(prompt), usage=USAGE)(wire, request)


@dataclass(frozen=True)
class Place:
    """A working directory with a home in it; `env` leads to both and to the endpoint."""

    folder: Path
    env: dict[str, str]
    server: Server

    def run(self, *line: str, before: Sequence[str] = (), given: bytes = b"", **env: str) -> Done:
        """Run the program to its end, behind the words `before`, with the stdin `given`.

        A run that hangs is killed, and then says so.
        """
        process = self.start(*line, before=before, **env)
        try:
            out, err = process.communicate(given, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            err += HANGS
        return Done(process.args, process.returncode, out, err)

    def start(
        self, *line: str, before: Sequence[str] = (), **env: str
    ) -> "subprocess.Popen[bytes]":
        """Start the program with its streams piped, as the leader of a group of its own."""
        return subprocess.Popen(
            [*before, PROGRAM, *line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.env, **env},
            cwd=self.folder,
            start_new_session=True,
        )


@contextmanager
def places() -> Iterator["Places"]:
    """An endpoint, and places that ask it."""
    with serving(script) as server, tempfile.TemporaryDirectory(prefix="chaos-") as base:
        yield Places(Path(base), server)


class Places:
    """Makes places, each a copy of one that is made once: with a session, a ledger, a template."""

    def __init__(self, base: Path, server: Server) -> None:
        self._base = base
        self.server = server
        self._made = 0
        self._model = self._place(base / "model")
        self._model.folder.mkdir()
        home = self._model.folder / "home"
        (home / ".config/llmcli/templates").mkdir(parents=True)
        (home / ".config/llmcli/templates/t.toml").write_text(TEMPLATE)
        (self._model.folder / "out").write_bytes(OLD)
        for problem in (
            ending(self._model.run("ask", "-n", "--session", "s", "first")),
            turns_of(self._model.folder, 1, 1),
        ):
            assert problem is None, problem

    def _place(self, folder: Path) -> Place:
        env = clean_environment(folder / "home") | {
            "LLMCLI_BASE_URL": self.server.base_url,
            "LLMCLI_API_KEY": KEY,
            "LLMCLI_MODEL": "m",
            "LLMCLI_RETRIES": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }
        return Place(folder, env, self.server)

    @contextmanager
    def fresh(self, folder: Path | None = None) -> Iterator[Place]:
        """Yield a new place, in `folder` if that is given, and remove it afterwards."""
        self._made += 1
        folder = folder or self._base / f"place-{self._made:06}"
        shutil.copytree(self._model.folder, folder, dirs_exist_ok=True)
        try:
            yield self._place(folder)
        finally:
            if not os.path.ismount(folder):
                shutil.rmtree(folder, ignore_errors=True)


def ending(done: Done, codes: set[int] = CODES) -> str | None:
    """Return what is wrong with the end of a run: it hangs, has no right code, or says too much."""
    said = done.stderr.decode(errors="replace")
    if done.stderr.endswith(HANGS):
        return "it hangs"
    wrong = "Traceback" in said or "internal error" in said or "Fatal Python" in said
    if done.returncode not in codes or wrong:
        return f"exit code {done.returncode}, {said[-600:]!r}"
    if done.returncode and not said.strip() and not done.stdout:
        return f"exit code {done.returncode} without a word"
    return None


def turns_of(folder: Path, least: int, most: int) -> str | None:
    """Return what is wrong with the session: a line that is damaged, too few turns or too many."""
    lines = (folder / STATE / "sessions/s.jsonl").read_bytes().splitlines(keepends=True)
    torn = [line for line in lines if not line.endswith(b"\n")]
    try:
        turns = [json.loads(line) for line in lines if line not in torn]
    except ValueError:
        return f"the session has a damaged line: {lines!r}"
    if not least <= len(turns) <= most or turns[0]["messages"][0]["content"] != "first":
        return f"the session has {len(turns)} turns, and should have {least} to {most}"
    return None

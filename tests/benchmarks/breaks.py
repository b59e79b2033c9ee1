"""What each program does when an answer breaks: its exit code, and what it prints."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.measure import Command
from tests.benchmarks.replies import Plan
from tests.support.endpoint import Request, Wire, serving

_ERROR = {"error": {"code": 502, "message": "Provider disconnected"}}
# Of what a program says on stderr, the last line; a traceback ends with what went wrong.
_LONGEST = 90


@dataclass(frozen=True)
class Break(Plan):
    """A reply that goes wrong after "The answer is". `name` is what its path is called."""

    name: str = ""

    def path(self) -> str:
        return f"/{self.name}"


BREAKS = {
    "the server reports an error in the stream": Break(name="error"),
    "the answer is cut at its greatest length": Break(name="length"),
    "the connection is lost": Break(name="lost"),
    "the stream ends, but the answer does not": Break(name="ended"),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as home, serving(_reply) as server:
        clients = Clients(Path(home), Endpoint(server.port))
        for title, plan in BREAKS.items():
            report.heading(title[0].upper() + title[1:])
            report.table(
                ("program", "exit code", "on stdout", "last line on stderr"),
                [(name, *_end(command)) for name, command in _programs(clients, plan).items()],
            )


def _programs(clients: Clients, plan: Plan) -> dict[str, Command]:
    return {
        "llm": clients.llm(plan),
        "shell-gpt": clients.shell_gpt(plan),
        "openai, a script": clients.openai(plan),
        "llmcli": clients.llmcli(plan),
    }


def _reply(wire: Wire, request: Request) -> None:
    """Send some text, then break as the path says."""
    wire.head()
    wire.text("The answer ")
    wire.text("is")
    if "/error/" in request.path:
        wire.event(_ERROR)
        wire.end()
    elif "/length/" in request.path:
        wire.finish("length")
    elif "/ended/" in request.path:
        wire.end()


def _end(command: Command) -> tuple[str, str, str]:
    """Run it in a pipe, and return how it ended as cells of a table."""
    done = subprocess.run(
        command.arguments,
        env=command.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip(" ╭─╮╰╯│")]
    last = lines[-1] if lines else ""
    shown = last if len(last) <= _LONGEST else f"{last[:_LONGEST]}…"
    return str(done.returncode), repr(done.stdout), shown.replace("|", "\\|") or "(nothing)"

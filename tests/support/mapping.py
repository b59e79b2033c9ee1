"""Runs of `map` beside a test, and what they leave."""

import subprocess
from pathlib import Path
from typing import Any

from tests.support.echo import Echo, rows
from tests.support.program import PROGRAM
from tests.support.waiting import wait_until

# Records that may wait for an earlier one, or were not yet looked at, for each asked at once.
WINDOW = 64


class Process(subprocess.Popen[bytes]):
    """A process that is killed if the test fails, as nobody would answer it any more."""

    def __exit__(self, kind: type[BaseException] | None, *more: Any) -> None:
        if kind:
            self.kill()
        super().__exit__(kind, *more)


def start(env: dict[str, str], cwd: Path, *arguments: str) -> Process:
    """`map`, with the file `in` on its stdin, and `{}` for its prompt unless it has another."""
    own = [] if {"--requests", "{}"} & set(arguments) else ["{}"]
    with open(cwd / "in", "rb") as stdin:
        return Process(
            [PROGRAM, "map", *arguments, *own],
            env=env, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def kill_once_asked(process: "subprocess.Popen[bytes]", echo: Echo, count: int) -> None:
    wait_until(lambda: len(echo.bodies) >= count or process.poll() is not None)
    kill(process)


def lost_by_a_kill(width: int) -> int:
    """How many answers a kill can cost: what was begun, and one that was just to be written."""
    return width + max(width // 4, 1) + 1


def rows_in(path: Path) -> list[dict[str, Any]]:
    return rows(path.read_bytes())

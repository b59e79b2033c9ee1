"""A lock that the system does not let go of."""

from collections.abc import Callable
from pathlib import Path

from tests.support.endpoint import Script, Server, answer
from tests.support.money import PRICED
from tests.support.program import Run

# No lock can be given up, as where the server of a network file system has gone away.
FAULT = """
import errno, fcntl, os
flock = fcntl.flock

def refusing(descriptor, operation):
    if operation == fcntl.LOCK_UN:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    flock(descriptor, operation)

fcntl.flock = refusing
"""


def test_a_lock_that_cannot_be_given_up_ends_with_the_run(
    run: Run,
    endpoint: Callable[[Script], Server],
    config: Callable[[str], Path],
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    endpoint(answer("x"))
    config(f"{PRICED}\nbudget.month = 1")
    (tmp_path / "sitecustomize.py").write_text(FAULT)
    env["PYTHONPATH"] = str(tmp_path)
    for _ in range(2):
        done = run("ask", "--max-tokens", "5", "--session", "s", "hi")
        assert (done.returncode, done.stdout) == (0, b"x\n"), done.stderr

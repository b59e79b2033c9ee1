"""A host of three addresses, two of which swallow everything, in a network of its own."""

import shutil
import subprocess
import sys

import pytest

from tests.support.program import PROGRAM, ROOT

pytestmark = [pytest.mark.foreign]

# As root a user namespace is not needed, and may be forbidden.
APART = ("unshare", "--net", "--mount")


def apart() -> tuple[str, ...]:
    """Return the words that run a command in namespaces of its own."""
    if not all(map(shutil.which, ("unshare", "ip", "mount"))):
        pytest.skip("unshare, ip or mount is not installed")
    for words in (APART, (*APART, "--map-root-user")):
        made = ("ip", "link", "add", "nowhere", "type", "veth", "peer", "name", "far")
        if subprocess.run([*words, *made], capture_output=True, check=False).returncode == 0:
            return words
    pytest.skip("no network namespace can be made here")


@pytest.mark.parametrize("short", ["", "0"])
@pytest.mark.parametrize("command", [("ask", "hi"), ("map", "{}")])
def test_addresses_that_swallow_everything_are_passed_over(
    env: dict[str, str], short: str, command: tuple[str, ...]
) -> None:
    words = (PROGRAM, *command, "-m", "m", "--base-url", "http://many.test:PORT/v1")
    # The time is far above the quarter of a second after which the next address is tried, and far
    # below the two minutes for which the system goes on knocking.
    limits = ("--connect-timeout", "30", "--retries", "0")
    network = (sys.executable, "-m", "tests.support.broken_network")
    done = subprocess.run(
        [*apart(), *network, *words, *limits],
        cwd=ROOT,
        env={**env, "LLMCLI_SHORT": short},
        input=b"a\n",
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr

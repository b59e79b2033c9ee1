"""What `map` says of a run on stderr, and when it says nothing."""

from tests.support.echo import Echo, lines
from tests.support.program import Run


def test_quiet_says_nothing(run: Run, echo: Echo) -> None:
    assert run("map", "-q", "{}", input=lines(10)).stderr == b""


def test_map_says_what_it_cannot_record(run: Run, echo: Echo, env: dict[str, str]) -> None:
    env["XDG_STATE_HOME"] = "/proc/nothing"
    done = run("map", "{}", input=lines(8))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 8)
    warning = b"warning: not recorded: cannot write the ledger /proc/nothing/"
    assert done.stderr.count(warning) == 1 and b"(8 records)" in done.stderr
    assert run("map", "-q", "{}", input=lines(8)).stderr == b""

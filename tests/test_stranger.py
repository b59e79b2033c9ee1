"""A stranger types what README and manual show: without a key, with three keys, with a server.

Each block runs as it stands, in an empty home. Where it cannot work, the message must lead on.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.endpoint import Server, serving
from tests.support.internet import Internet, keys_in
from tests.support.manual import bash, blocks, reply
from tests.support.stranger import config_of_readme, rows_of_keys, with_embedded_model

Env = dict[str, str]
RUNNABLE = blocks("runnable")
KEYS = {
    "OPENAI_API_KEY": "key-of-openai",
    "ANTHROPIC_API_KEY": "key-of-anthropic",
    "GROQ_API_KEY": "key-of-groq",
}
# What a line may say that cannot work without a key, and how it leads on.
LEADS_ON = (
    "no API key and no endpoint is configured; set ",
    "the embedded model refuses the request: it cannot see images",
    "no model matches; `llmcli models` lists all",
    "--curl needs an endpoint, and the embedded model has none; name a server by --base-url",
)
CHOOSE = "choose one: --profile openai or --profile anthropic or --profile groq"


@pytest.fixture
def stranger(env: Env, tmp_path: Path) -> Env:
    return with_embedded_model(env, tmp_path / "machine")


@pytest.fixture
def world_of_answers(world: Internet, stranger: Env) -> Iterator[Internet]:
    """Every provider answers, and the stranger's program is led to them."""
    world.script = reply
    stranger |= world.variables
    yield world


def problems(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return the lines of stderr that tell of a failure that no message above leads on from."""
    lines = done.stderr.decode().splitlines()
    fine = (
        *("no key or endpoint configured: ", "going on with session ", "nothing recorded from "),
        *("map: ", "model local/", "first token after "),
    )
    told = [line.removeprefix("llmcli: ") for line in lines]
    usage = re.compile(r".+: (about )?(\d+ in|tokens unknown)")
    return [
        line for line in told if not line.startswith((*fine, *LEADS_ON)) and not usage.match(line)
    ]


@pytest.mark.parametrize("name", RUNNABLE)
def test_without_a_key(name: str, world_of_answers: Internet, stranger: Env, place: Path) -> None:
    """The embedded model answers, or the message says what is needed. Nobody else is asked."""
    done = bash(f"set +e +o pipefail\n{RUNNABLE[name]}\ntrue", stranger, place)
    assert (done.returncode, world_of_answers.received) == (0, [])
    assert problems(done) == []
    assert done.stdout or done.stderr


@pytest.mark.parametrize("name", RUNNABLE)
def test_with_three_keys(name: str, world_of_answers: Internet, stranger: Env, place: Path) -> None:
    """Nobody is asked before the stranger chooses; then that provider alone, with its key."""
    stranger |= KEYS
    done = bash(f"set +e +o pipefail\n{RUNNABLE[name]}\ntrue", stranger, place)
    assert world_of_answers.received == []
    first = done.stderr.decode()
    done = bash(RUNNABLE[name], {**stranger, "LLMCLI_PROFILE": "openai"}, place)
    assert done.returncode == 0, done.stderr.decode()
    for origin, request in world_of_answers.received:
        assert (origin, keys_in(request)) == ("https://api.openai.com", ["key-of-openai"])
    assert not world_of_answers.received or CHOOSE in first


@pytest.mark.parametrize("name", RUNNABLE)
def test_with_a_server(name: str, stranger: Env, place: Path) -> None:
    """With the config.toml of the README, and no variable."""
    with serving(reply) as server:
        write_config(stranger, server, place)
        done = bash(RUNNABLE[name], stranger, place)
    assert done.returncode == 0, done.stderr.decode()
    assert not any(request.headers.get("authorization") for request in server.requests)


def write_config(env: Env, server: Server, place: Path) -> None:
    """Write the file that `llmcli config path` names."""
    path = Path(bash("llmcli config path", env, place).stdout.decode().strip())
    path.parent.mkdir(parents=True)
    path.write_text(config_of_readme(server.base_url))


def test_check_says_what_works_with_a_server(stranger: Env, place: Path) -> None:
    with serving(reply) as server:
        write_config(stranger, server, place)
        done = bash("llmcli config check", stranger, place)
    assert done.returncode == 0
    assert f"ok    connection  127.0.0.1:{server.port} answers" in done.stdout.decode()


ROWS = rows_of_keys()


def test_there_are_six_rows() -> None:
    assert len(ROWS) == 6


@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside others"])
@pytest.mark.parametrize(("variable", "line"), ROWS, ids=[name for name, _ in ROWS])
def test_the_first_line_for_a_key(
    variable: str, line: str, others: bool, world_of_answers: Internet, stranger: Env, place: Path
) -> None:
    stranger |= {**(KEYS if others else {}), variable: "key-of-the-row"}
    done = bash(line, stranger, place)
    assert (done.returncode, done.stdout) == (0, b"an answer\n"), done.stderr.decode()
    [(_, request)] = world_of_answers.received
    assert keys_in(request) == ["key-of-the-row"]
    listed = bash(line.split('"')[0].replace("llmcli", "llmcli models", 1).partition(" -m ")[0],
                  stranger, place)  # fmt: skip
    assert listed.returncode == 0 and b"m\t8192\t" in listed.stdout, listed.stderr.decode()

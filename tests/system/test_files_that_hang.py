"""Files of llmcli's own that are no files, and places that are gone: said by name, at once."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.endpoint import Server
from tests.support.program import PROGRAM, Run, one_line

KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (os.mkfifo, "it is a FIFO, not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
    "directory": (Path.mkdir, "Is a directory"),
}
CONFIG, STATE = ".config/llmcli", ".local/state/llmcli"
# What is put there, the command that reads it, and its exit code.
READERS = [
    (f"{CONFIG}/config.toml", "ask hi", 78),
    (f"{CONFIG}/config.toml", "map x", 78),
    (f"{CONFIG}/config.toml", "models", 78),
    (f"{CONFIG}/config.toml", "usage", 78),
    (f"{CONFIG}/config.toml", "config show", 78),
    (f"{CONFIG}/config.toml", "config check", 78),
    (f"{CONFIG}/config.toml", "local pull", 78),
    (f"{CONFIG}/key", "ask hi", 78),
    (f"{CONFIG}/key", "map x", 78),
    (f"{CONFIG}/key", "config check", 78),
    (f"{CONFIG}/templates/t.toml", "ask -t t", 66),
    (f"{CONFIG}/templates/t.toml", "map -t t", 66),
    (f"{CONFIG}/templates/t.toml", "template show t", 66),
    (f"{CONFIG}/templates/t.toml", "template list", 0),
    (f"{CONFIG}/templates/t.toml", "template edit t", 73),
    (f"{STATE}/last-session/all", "ask -c hi", 66),
    (f"{STATE}/last-session/all", "session show", 66),
    (f"{STATE}/ledger/{{month}}.jsonl", "ask hi", 0),
    (f"{STATE}/ledger/{{month}}.jsonl", "map x", 0),
    (f"{STATE}/ledger/{{month}}.jsonl", "usage", 66),
    ("model.gguf", "ask -m local/~/model.gguf hi", 78),
    ("cert.pem", "ask hi", 78),
    ("cert.pem", "map x", 78),
    ("cert.pem", "models", 78),
]


@pytest.fixture
def places(home: Path, env: dict[str, str], server: Server) -> Iterator[Path]:
    for name in (f"{CONFIG}/templates", f"{STATE}/last-session", f"{STATE}/ledger"):
        (home / name).mkdir(parents=True)
    (home / STATE).chmod(0o700)
    env["EDITOR"] = "true"
    yield home


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "line", "code"), READERS)
def test_what_is_no_file_is_refused_by_name(
    run: Run, places: Path, env: dict[str, str], kind: str, name: str, line: str, code: int
) -> None:
    path = places / name.format(month=datetime.now(UTC).strftime("%Y-%m"))
    make, says = KINDS[kind]
    make(path)
    if path.name == "key":
        del env["LLMCLI_API_KEY"]
        env["LLMCLI_API_KEY_FILE"] = str(path)
    if path.name == "cert.pem":
        env |= {"LLMCLI_CLIENT_CERT": str(path), "LLMCLI_BASE_URL": "https://127.0.0.1:1"}
    done = run(*line.split(), input=b"a\n")
    shown = (done.stdout + done.stderr).decode()
    assert done.returncode == code, shown
    assert str(path) in shown
    assert says in shown


@pytest.mark.parametrize("suffix", [".unfinished", ".progress", ".stale", ".part"])
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_fifo_beside_the_results_of_map_is_not_waited_for(
    run: Run, server: Server, tmp_path: Path, suffix: str, form: list[str]
) -> None:
    os.mkfifo(tmp_path / f"out{suffix}")
    done = run("map", *form, "-O", "out", "x", input=b"a\n")
    assert done.returncode in (0, 66, 73), done.stderr


@pytest.mark.parametrize("name", ["LLMCLI_CA_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("line", ["ask hi", "map x", "models"])
def test_authorities_from_a_fifo_are_refused_by_name(
    run: Run, env: dict[str, str], server: Server, tmp_path: Path, name: str, line: str
) -> None:
    os.mkfifo(tmp_path / "fifo")
    env |= {name: str(tmp_path / "fifo"), "LLMCLI_BASE_URL": "https://127.0.0.1:1"}
    if line == "ask hi":
        env["LLMCLI_BASE_URL"] = server.base_url.replace("http:", "https:")
    done = run(*line.split(), input=b"a\n")
    assert done.returncode == 78, done.stderr
    assert b"it is a FIFO, not a regular file" in done.stderr


def test_an_empty_device_is_an_empty_config(run: Run, server: Server, env: dict[str, str]) -> None:
    env["LLMCLI_CONFIG"] = "/dev/null"
    assert run("ask", "hi").stdout == b"ok\n"


def test_a_key_comes_through_a_pipe_of_the_shell(
    endpoint: Callable[..., Server], server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    del env["LLMCLI_API_KEY"]
    script = 'LLMCLI_API_KEY_FILE=<(echo sk-from-a-pipe) "$0" ask -n hi'
    done = subprocess.run(
        ["bash", "-c", script, PROGRAM], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert server.requests[0].headers["authorization"] == "Bearer sk-from-a-pipe"


@pytest.mark.parametrize(
    "line",
    [
        *("ask --session ./s hi", "ask -t ./t hi", "session show ./s", "session remove ./s"),
        *("template show ./t", "template edit ./t", "ask -f x hi", "ask --schema s hi"),
    ],
)
def test_a_working_directory_that_is_gone(
    server: Server, env: dict[str, str], tmp_path: Path, line: str
) -> None:
    script = f'mkdir d; cd d; rmdir ../d; "$0" {line}'
    done = subprocess.run(
        ["sh", "-c", script, PROGRAM],
        env=env,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 66, done.stderr
    says = "the working directory does not exist any more" if "./" in line else "No such file"
    assert says in one_line(done.stderr)


@pytest.mark.parametrize("value", ["/nonexistent", "/nonexistent/", "{tmp}/missing", "relative"])
def test_no_home_means_no_files(
    run: Run, server: Server, env: dict[str, str], tmp_path: Path, value: str
) -> None:
    env |= {"HOME": value.format(tmp=tmp_path), "EDITOR": "true"}
    before = os.path.exists("/nonexistent")
    done = run("ask", "-n", "hi")
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert b"no-home" not in done.stderr  # there is no place for a ledger, which needs no word
    codes = {
        "ask --session s hi": 73,
        "ask -c hi": 66,
        "template edit t": 73,
        "local pull": 73,
        "config path": 66,
        "config show": 0,
        "session list": 0,
        "template list": 0,
        "usage": 0,
    }
    for line, code in codes.items():
        assert (line, run(*line.split()).returncode) == (line, code)
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]
    assert os.path.exists("/nonexistent") == before


# What root can do beyond others is taken from it.
_CAPABILITIES = "-dac_override,-dac_read_search"


@pytest.mark.parametrize(
    ("place", "line", "code"),
    [
        (".config", "ask hi", 78),
        (".config", "config show", 78),
        (".config", "template show t", 66),
        (".config", "template list", 66),
        (".local/state", "ask hi", 0),
        (".local/state", "ask --session s hi", 66),
        (".local/state", "ask -c hi", 66),
        (".local/state", "session list", 66),
        (".local/state", "usage", 66),
        (".cache", "ask hi", 0),
    ],
)
def test_a_directory_that_only_another_user_can_enter(
    server: Server, env: dict[str, str], home: Path, place: str, line: str, code: int
) -> None:
    folder = home / place / "llmcli"
    folder.mkdir(parents=True)
    folder.chmod(0)
    command = [PROGRAM, *line.split()]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("setpriv is not installed, and root can enter every directory")
        command = ["setpriv", "--bounding-set", _CAPABILITIES, *command]
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    folder.chmod(0o700)
    assert done.returncode == code, done.stderr
    if code:
        assert str(folder) in one_line(done.stderr)

"""Where a key comes from, where it may go, and that it is never shown."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import gone
from tests.support.endpoint import Script, Server, answer
from tests.support.program import KEY, PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_until

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]


@pytest.fixture
def server(endpoint: Endpoint, env: dict[str, str]) -> Server:
    """An endpoint whose key is not in the environment."""
    server = endpoint(answer("ok"))
    del env["LLMCLI_API_KEY"]
    return server


def sent(server: Server) -> str | None:
    return server.requests[-1].headers.get("authorization")


def key_file(home: Path, text: str = KEY + "\n", mode: int = 0o600) -> Path:
    path = home / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_order_of_sources(
    run: Run, server: Server, config: Config, env: dict[str, str], home: Path
) -> None:
    here = f'base_url = "{server.base_url}"\n'
    config(here + f'api_key_file = "{key_file(home)}"\n')
    assert run("ask", "hi").returncode == 0
    assert sent(server) == f"Bearer {KEY}"
    config(here + f'api_key_file = "{key_file(home)}"\napi_key_command = "echo from-command"\n')
    run("ask", "hi")
    assert sent(server) == "Bearer from-command"
    env["LLMCLI_API_KEY_COMMAND"] = '["echo", "from-variable"]'
    run("ask", "hi")
    assert sent(server) == "Bearer from-variable"
    env["CLINE_API_KEY"] = "from-cline"
    run("ask", "hi")
    assert sent(server) == "Bearer from-cline"
    env["LLMCLI_API_KEY"] = "from-llmcli"
    run("ask", "hi")
    assert sent(server) == "Bearer from-llmcli"


def test_server_of_ones_own_needs_no_key_and_netrc_gives_none(
    run: Run, server: Server, home: Path
) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    assert run("ask", "hi").returncode == 0
    assert sent(server) is None


def test_netrc_does_not_replace_the_key(
    run: Run, server: Server, home: Path, env: dict[str, str]
) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    env["LLMCLI_API_KEY"] = KEY
    assert run("ask", "hi").returncode == 0
    assert sent(server) == f"Bearer {KEY}"


def test_key_command_without_a_shell_and_without_our_stdin(
    run: Run, server: Server, config: Config, tmp_path: Path
) -> None:
    program = tmp_path / "give key"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1] + sys.stdin.read())\n")
    program.chmod(0o700)
    config(f'base_url = "{server.base_url}"\napi_key_command = ["{program}", "$HOME"]\n')
    assert run("ask", "hi", input=b"piped").returncode == 0
    assert sent(server) == "Bearer $HOME"
    assert server.only.json["messages"][0]["content"] == "piped\n\nhi"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("false", "api_key_command failed with exit code 1"),
        ("/nonexistent/program", "cannot run /nonexistent/program: No such file"),
        ("true", "the key from api_key_command is empty"),
        ('printf "a b"', "contains character U+0020 at position 2 of 3"),
    ],
)
def test_key_command_that_fails(
    run: Run, server: Server, config: Config, command: str, says: str
) -> None:
    config(f"base_url = '{server.base_url}'\napi_key_command = '{command}'\n")
    done = run("ask", "hi")
    assert done.returncode == 78
    assert says in one_line(done.stderr)
    assert server.requests == []


HANGS = [["sleep", "61"], ["sh", "-c", "sleep 61; true"], ["sh", "-c", "trap '' TERM; sleep 61"]]


@pytest.mark.parametrize("command", HANGS, ids=" ".join)
@pytest.mark.parametrize("asked", ["ask", "map"])
def test_key_command_that_hangs_ends_at_the_deadline(
    run: Run, server: Server, config: Config, command: list[str], asked: str
) -> None:
    config(f"base_url = {server.base_url!r}\napi_key_command = {json.dumps(command)}\n")
    started = time.monotonic()
    done = run(asked, "--deadline", "1", "hi", input=b"a line")
    assert done.returncode == 124
    assert "deadline of 1 s reached: api_key_command has not ended" in one_line(done.stderr)
    assert time.monotonic() - started < 20
    assert server.requests == []


@pytest.mark.parametrize("asked", ["ask", "map", "models"])
def test_key_command_that_hangs_ends_by_a_signal(
    server: Server, config: Config, env: dict[str, str], tmp_path: Path, asked: str
) -> None:
    """With its children, of which nobody would know."""
    script = "sleep 61 & echo $! > child.tmp; mv child.tmp child; wait"
    config(
        f"base_url = {server.base_url!r}\napi_key_command = {json.dumps(['sh', '-c', script])}\n"
    )
    more = [] if asked == "models" else ["hi"]
    with subprocess.Popen(
        [PROGRAM, asked, *more], env=env, cwd=tmp_path, stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM
    assert gone(int((tmp_path / "child").read_text()))


def test_key_command_whose_children_stay_has_ended_with_it(
    run: Run, server: Server, config: Config
) -> None:
    command = ["sh", "-c", f"sleep 30 & echo {KEY}"]
    config(f"base_url = {server.base_url!r}\napi_key_command = {json.dumps(command)}\n")
    started = time.monotonic()
    assert run("ask", "hi").returncode == 0
    assert time.monotonic() - started < 20
    assert sent(server) == f"Bearer {KEY}"


def test_key_command_asks_at_the_terminal(
    server: Server, config: Config, env: dict[str, str], tmp_path: Path
) -> None:
    """As a program that wants a passphrase does."""
    script = f'printf "passphrase? " > /dev/tty; read -r word < /dev/tty; echo {KEY}'
    config(
        f"base_url = {server.base_url!r}\napi_key_command = {json.dumps(['sh', '-c', script])}\n"
    )
    with on_a_terminal([PROGRAM, "ask", "hi"], env, tmp_path) as (process, terminal):
        read_until(terminal, b"passphrase? ")
        os.write(terminal, b"word\n")
        read_until(terminal, b"ok")
        assert process.wait(30) == 0
    assert sent(server) == f"Bearer {KEY}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_key_file_that_others_can_read_is_refused(
    run: Run, server: Server, config: Config, home: Path, mode: int
) -> None:
    path = key_file(home, mode=mode)
    config(f'base_url = "{server.base_url}"\napi_key_file = "~/key"\n')
    done = run("ask", "hi")
    assert done.returncode == 78
    assert f"{path} can be read by others; chmod 600 {path}" in one_line(done.stderr)
    assert server.requests == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [(f"{KEY}\n", KEY), (f" {KEY}\r\n", KEY), (f"{KEY[:9]}\n{KEY[9:]}", None), ("schlüssel", None)],
)
def test_white_space_around_a_key_is_trimmed_inside_it_refused(
    run: Run, server: Server, env: dict[str, str], value: str, expected: str | None
) -> None:
    env["LLMCLI_API_KEY"] = value
    done = run("ask", "hi")
    if expected:
        assert sent(server) == f"Bearer {expected}"
    else:
        assert done.returncode == 78
        assert "the key from LLMCLI_API_KEY contains character U+00" in one_line(done.stderr)
        assert server.requests == []
        assert value[:9].encode() not in done.stderr


def test_a_key_goes_only_where_it_was_configured(
    run: Run, server: Server, config: Config, home: Path, env: dict[str, str]
) -> None:
    config(f'base_url = "https://other.invalid/v1"\napi_key_file = "{key_file(home)}"\n')
    assert run("ask", "hi").returncode == 0  # LLMCLI_BASE_URL points elsewhere
    assert sent(server) is None
    assert run("ask", "--base-url", server.base_url, "hi").returncode == 0
    assert sent(server) is None
    del env["LLMCLI_BASE_URL"]
    config(f'base_url = "{server.base_url}/"\napi_key_file = "{key_file(home)}"\n')
    assert run("ask", "hi").returncode == 0
    assert sent(server) == f"Bearer {KEY}"
    # One of the top level, beside the default endpoint, is not for the server of a profile.
    profile = f'[profiles.home]\nbase_url = "{server.base_url}"\n'
    for key in (f'api_key_file = "{key_file(home)}"\n', 'api_key_command = "false"\n'):
        config(key + profile)
        assert run("ask", "--profile", "home", "hi").returncode == 0
        assert sent(server) is None
        config(profile + key)
    config(f'{profile}api_key_file = "{key_file(home)}"\n')
    assert run("ask", "--profile", "home", "hi").returncode == 0
    assert sent(server) == f"Bearer {KEY}"


def test_a_secret_header_goes_only_where_it_was_configured(
    run: Run, server: Server, config: Config
) -> None:
    here, there = f'base_url = "{server.base_url}"\n', 'base_url = "https://other.invalid"\n'
    secret = 'headers = { X-Api-Key = "topsecret", X-Team = "blue" }\n'
    for text, arguments, expected in (
        (here + secret, (), "topsecret"),
        (there + secret, (), None),  # LLMCLI_BASE_URL points elsewhere
        (secret + "[profiles.p]\n" + here, ("--profile", "p"), None),
        ("[profiles.p]\n" + here + secret, ("--profile", "p"), "topsecret"),
        (there + secret, ("--header", "X-Api-Key=mine"), "mine"),
    ):
        config(text).chmod(0o600)
        assert run("ask", "hi", *arguments).returncode == 0
        headers = server.requests[-1].headers
        assert (headers.get("x-api-key"), headers["x-team"]) == (expected, "blue")


def test_keyring(run: Run, server: Server, config: Config, env: dict[str, str], home: Path) -> None:
    (home / "fakering.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Ring(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, name): return f'{service}-{name}-key'\n"
        "    def set_password(self, *a): pass\n"
        "    def delete_password(self, *a): pass\n"
    )
    env["PYTHONPATH"] = str(home)
    env["PYTHON_KEYRING_BACKEND"] = "fakering.Ring"
    config(f'base_url = "{server.base_url}"\nkeyring = true\n[profiles.work]\n')
    assert run("ask", "hi").returncode == 0
    assert sent(server) == "Bearer llmcli-default-key"
    run("ask", "--profile", "work", "hi")
    assert sent(server) == "Bearer llmcli-work-key"


def test_no_key_for_the_vendor(run: Run, env: dict[str, str]) -> None:
    done = run("ask", "-m", "vendor/model", "hi")
    assert done.returncode == 78
    line = one_line(done.stderr)
    assert "no API key for api.cline.bot; set LLMCLI_API_KEY, or api_key_file" in line


def test_a_key_that_would_go_unencrypted_is_told(run: Run, env: dict[str, str]) -> None:
    env["LLMCLI_API_KEY"] = KEY
    env["HTTP_PROXY"] = "http://127.0.0.1:9"
    env["NO_PROXY"] = ""
    done = run("ask", "--base-url", "http://example.invalid/v1", "-m", "m", "hi")
    first, second = done.stderr.decode().splitlines()
    assert "the key goes to example.invalid unencrypted; use https://, or set allow_http" in first
    assert "the proxy for example.invalid cannot be reached" in second
    assert done.returncode == 68
    env["LLMCLI_ALLOW_HTTP"] = "true"
    done = run("ask", "--base-url", "http://example.invalid/v1", "-m", "m", "hi")
    assert "unencrypted" not in done.stderr.decode()


def test_there_is_no_option_for_a_key(run: Run) -> None:
    assert b"key" not in run("ask", "--help").stdout.lower().replace(b"key=json", b"")
    assert run("ask", "--api-key", "x", "hi").returncode == 2

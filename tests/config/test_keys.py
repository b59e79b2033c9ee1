"""Where a key comes from, where it may go, and that it is never shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server
from tests.support.program import KEY, Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]


def key_file(home: Path, text: str = KEY + "\n", mode: int = 0o600) -> Path:
    path = home / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_order_of_sources(
    run: Run, keyless: Server, config: Config, env: dict[str, str], home: Path
) -> None:
    here = f'base_url = "{keyless.base_url}"\n'
    config(here + f'api_key_file = "{key_file(home)}"\n')
    assert run("ask", "hi").returncode == 0
    assert keyless.authorization == f"Bearer {KEY}"
    config(here + f'api_key_file = "{key_file(home)}"\napi_key_command = "echo from-command"\n')
    run("ask", "hi")
    assert keyless.authorization == "Bearer from-command"
    env["LLMCLI_API_KEY_COMMAND"] = '["echo", "from-variable"]'
    run("ask", "hi")
    assert keyless.authorization == "Bearer from-variable"
    env["CLINE_API_KEY"] = "from-cline"  # which is for that provider alone
    run("ask", "hi")
    assert keyless.authorization == "Bearer from-variable"
    env["LLMCLI_API_KEY"] = "from-llmcli"
    run("ask", "hi")
    assert keyless.authorization == "Bearer from-llmcli"


def test_server_of_ones_own_needs_no_key_and_netrc_gives_none(
    run: Run, keyless: Server, home: Path
) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    assert run("ask", "hi").returncode == 0
    assert keyless.authorization is None


def test_netrc_does_not_replace_the_key(
    run: Run, keyless: Server, home: Path, env: dict[str, str]
) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    env["LLMCLI_API_KEY"] = KEY
    assert run("ask", "hi").returncode == 0
    assert keyless.authorization == f"Bearer {KEY}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_key_file_that_others_can_read_is_refused(
    run: Run, keyless: Server, config: Config, home: Path, mode: int
) -> None:
    path = key_file(home, mode=mode)
    config(f'base_url = "{keyless.base_url}"\napi_key_file = "~/key"\n')
    done = run("ask", "hi")
    assert done.returncode == 78
    assert f"{path} can be read by others; chmod 600 {path}" in one_line(done.stderr)
    assert keyless.requests == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [(f"{KEY}\n", KEY), (f" {KEY}\r\n", KEY), (f"{KEY[:9]}\n{KEY[9:]}", None), ("schlüssel", None)],
)
def test_white_space_around_a_key_is_trimmed_inside_it_refused(
    run: Run, keyless: Server, env: dict[str, str], value: str, expected: str | None
) -> None:
    env["LLMCLI_API_KEY"] = value
    done = run("ask", "hi")
    if expected:
        assert keyless.authorization == f"Bearer {expected}"
    else:
        assert done.returncode == 78
        assert "the key from LLMCLI_API_KEY contains character U+00" in one_line(done.stderr)
        assert keyless.requests == []
        assert value[:9].encode() not in done.stderr


def test_a_key_goes_only_where_it_was_configured(
    run: Run, keyless: Server, config: Config, home: Path, env: dict[str, str]
) -> None:
    config(f'base_url = "https://other.invalid/v1"\napi_key_file = "{key_file(home)}"\n')
    assert run("ask", "hi").returncode == 0  # LLMCLI_BASE_URL points elsewhere
    assert keyless.authorization is None
    assert run("ask", "--base-url", keyless.base_url, "hi").returncode == 0
    assert keyless.authorization is None
    del env["LLMCLI_BASE_URL"]
    config(f'base_url = "{keyless.base_url}/"\napi_key_file = "{key_file(home)}"\n')
    assert run("ask", "hi").returncode == 0
    assert keyless.authorization == f"Bearer {KEY}"
    # One of the top level, beside the default endpoint, is not for the server of a profile.
    profile = f'[profiles.home]\nbase_url = "{keyless.base_url}"\n'
    for key in (f'api_key_file = "{key_file(home)}"\n', 'api_key_command = "false"\n'):
        config(key + profile)
        assert run("ask", "--profile", "home", "hi").returncode == 0
        assert keyless.authorization is None
        config(profile + key)
    config(f'{profile}api_key_file = "{key_file(home)}"\n')
    assert run("ask", "--profile", "home", "hi").returncode == 0
    assert keyless.authorization == f"Bearer {KEY}"


def test_a_secret_header_goes_only_where_it_was_configured(
    run: Run, keyless: Server, config: Config
) -> None:
    here, there = f'base_url = "{keyless.base_url}"\n', 'base_url = "https://other.invalid"\n'
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
        headers = keyless.requests[-1].headers
        assert (headers.get("x-api-key"), headers["x-team"]) == (expected, "blue")


def test_keyring(
    run: Run, keyless: Server, config: Config, env: dict[str, str], home: Path
) -> None:
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
    config(f'base_url = "{keyless.base_url}"\nkeyring = true\n[profiles.work]\n')
    assert run("ask", "hi").returncode == 0
    assert keyless.authorization == "Bearer llmcli-default-key"
    run("ask", "--profile", "work", "hi")
    assert keyless.authorization == "Bearer llmcli-work-key"


def test_no_key_for_the_vendor(run: Run, env: dict[str, str]) -> None:
    for option, names in {
        "--base-url=https://api.cline.bot/api/v1": "LLMCLI_API_KEY or CLINE_API_KEY",
        "--profile=cline": "CLINE_API_KEY",
    }.items():
        done = run("ask", "-m", "vendor/model", option, "hi")
        assert done.returncode == 78
        line = one_line(done.stderr)
        assert f"no API key for api.cline.bot; set {names}, or api_key_file" in line


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
    assert b"key" not in run("ask", "--help").stdout.lower().replace(b"key=value", b"")
    assert run("ask", "--api-key", "x", "hi").returncode == 2


def test_key_is_in_no_traceback(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(lambda wire, _: wire.json({"error": {"message": f"bad {KEY}"}}, "401 Who"))
    env["LLMCLI_DEBUG"] = "1"
    for form in ((), ("--json",), ("--events",), ("-v",)):
        done = run("ask", "hi", *form)
        assert KEY.encode() not in done.stdout + done.stderr

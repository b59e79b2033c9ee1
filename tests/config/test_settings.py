"""Values that a setting, a key or an option cannot have, and surroundings that few users have."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]

DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[profile.home]\n", "a table of settings is [profiles.NAME]"),
        ("profile = 5\n", "profile must be the name of a profile"),
        (f"seed = {DIGITS}\n", "config.toml"),
        (f"stop = {'[' * 5000}\n", "config.toml"),
        ("[options]\nd = 1979-05-27\n", "options must be JSON"),
        ("[options]\nx = nan\n", "options must be JSON"),
        ("[options]\nmessages = []\n", "options cannot set messages"),
        ("deadline = inf\n", "deadline must be from 0 to 10,000,000, not inf"),
        ("idle_timeout = nan\n", "idle_timeout must be from 0.001 to 10,000,000, not nan"),
        ("connect_timeout = 0\n", "connect_timeout must be from 0.001 to 10,000,000, not 0.0"),
        ("max_tokens = -5\n", "max_tokens must be from 1 to 1,000,000,000, not -5"),
        ("retries = -5\n", "retries must be from 0 to 10, not -5"),
        ('headers = ["Authorization: sk-LEAKED"]\n', "headers must be a table"),
        ('headers = { Content-Length = "5" }\n', "the header Content-Length is set by llmcli"),
    ],
)
def test_odd_settings(run: Run, endpoint: Endpoint, config: Config, text: str, says: str) -> None:
    server = endpoint(answer("x"))
    config(text).chmod(0o600)
    done = run("ask", "hi")
    line = one_line(done.stderr)
    assert (done.returncode, server.requests) == (78, []), line
    assert says in line and "sk-LEAKED" not in line


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ('api_key_command = "pass \'x"', "api_key_command cannot be run: No closing quotation"),
        ('api_key_command = ["yes"]', "api_key_command printed more than 65536 bytes"),
        ('api_key_file = "a\\u0000b"', "cannot read api_key_file"),
    ],
)
def test_odd_keys(
    run: Run, endpoint: Endpoint, config: Config, env: dict[str, str], setting: str, says: str
) -> None:
    server = endpoint(answer("x"))
    del env["LLMCLI_API_KEY"]
    config(f'base_url = "{server.base_url}"\n{setting}\n')
    done = run("ask", "hi")
    assert done.returncode == 78
    assert says in one_line(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--temperature", "nan"), 2),
        (("--top-p", "inf"), 2),
        (("--deadline", "inf"), 2),
        (("--deadline", "-1"), 2),
        (("--deadline", "1e300"), 2),
        (("--connect-timeout", "0"), 2),
        (("--idle-timeout", "nan"), 2),
        (("--max-input", DIGITS), 2),
        (("-o", "x=1e999"), 65),
        (("-o", "x=" + "[" * 50_000 + "]" * 50_000), 2),
        (("--messages", "deep.json"), 65),
        (("--messages", "nan.json"), 65),
        (("-m", "local/a\udcff"), 65),
        (("-m", b"\xff"), 65),
        (("-O", "a\udcff/b"), 73),
    ],
)
def test_odd_options(
    run: Run,
    endpoint: Endpoint,
    tmp_path: Path,
    arguments: tuple[str | bytes, ...],
    code: int,
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "nan.json").write_text('[{"role": "user", "content": "x", "n": NaN}]')
    for more in ((), ("--dry-run",)):
        if more and "-O" in arguments:
            continue
        done = run("ask", "hi", *arguments, *more)
        assert (done.returncode, server.requests) == (code, []), done.stderr
        one_line(done.stderr)


def test_odd_names_and_surrogates_are_sent_as_well_as_they_can(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / os.fsdecode(b'a">\xff<b')).write_text("text")
    conversation = '[{"role": "user", "content": "\\ud800"}]'
    for more in ((), ("--dry-run",), ("--curl",)):
        done = run("ask", "-f", b'a">\xff<b', "hi", *more)
        assert done.returncode == 0, done.stderr
        assert run("ask", "--messages", "-", *more, input=conversation.encode()).returncode == 0
    assert '<file name="a&quot;>\ufffd&lt;b">' in server.requests[0].json["messages"][0]["content"]
    assert server.requests[1].json["messages"][0]["content"] == "\ud800"


def test_dev_stdin_is_stdin_once(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "in.txt").write_text("once")
    with (tmp_path / "in.txt").open("rb") as stdin:
        assert run("ask", "-f", "/dev/stdin", "hi", stdin=stdin).returncode == 0
    assert server.only.json["messages"][0]["content"].count("once") == 1


def test_without_a_home_nothing_is_read_from_here(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    for folder in (".config", "~/.config"):
        (tmp_path / folder / "llmcli").mkdir(parents=True)
        (tmp_path / folder / "llmcli/config.toml").write_text("broken")
    for home in (".", "~", ""):
        env["HOME"] = home
        assert run("ask", "hi").returncode == 0
    assert run("config", "path").stdout.startswith(b"/")


def test_a_config_named_but_missing_is_an_error(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    env["LLMCLI_CONFIG"] = "/nonexistent/typo.toml"
    done = run("ask", "hi")
    assert done.returncode == 78
    assert "LLMCLI_CONFIG names /nonexistent/typo.toml" in one_line(done.stderr)


def test_a_locale_without_utf8(
    run: Run, endpoint: Endpoint, env: dict[str, str], config: Config
) -> None:
    server = endpoint(answer("ça"))
    config('system = "日本"\n')
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("ask", "été".encode())
    assert (done.returncode, done.stdout) == (0, "ça\n".encode()), done.stderr
    assert [m["content"] for m in server.only.json["messages"]] == ["日本", "été"]
    assert run("ask", "--help").returncode == 0


def test_curl_cannot_be_made_to_run_commands(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x"))
    done = run("ask", "--curl", "--header", "X-Key$(touch PWNED)=v", "hi")
    assert (done.returncode, done.stdout) == (2, b"")
    done = run("ask", "--curl", "--header", "X-Pass=secret1", "--header", "Session=secret2", "hi")
    assert done.returncode == 0
    assert b"secret1" not in done.stdout and b"secret2" not in done.stdout

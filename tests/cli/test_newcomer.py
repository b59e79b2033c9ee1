"""What a newcomer meets: no key, no home, a session that is gone, a server that says little."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.config.providers import PROVIDERS
from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.internet import Internet
from tests.support.program import KEY, PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]
Env = dict[str, str]
EMBEDDED = "local/smollm2-135m-instruct"
SEVERAL = {"OPENAI_API_KEY": "key-of-openai", "GROQ_API_KEY": "key-of-groq"}


@pytest.mark.embedded
@pytest.mark.parametrize("variables", [{}, {"LLMCLI_MODEL": "local"}])
def test_models_without_a_key_are_those_that_would_answer(
    run: Run, world: Internet, env: Env, variables: Env
) -> None:
    env |= variables
    done = run("models")
    assert (done.returncode, world.received) == (0, [])
    assert done.stdout.decode() == f"{EMBEDDED}\t8192\t0\t0\t-\tfree\n"
    assert "the embedded model; see `llmcli help keys`" in one_line(done.stderr)
    (model,) = json.loads(run("models", "--json").stdout)["models"]
    assert model["id"] == EMBEDDED
    assert run("models", "gpt").returncode == 66


@pytest.mark.parametrize("line", ["models", "hi there", "config check", "map {}"])
def test_nobody_is_asked_whom_the_user_did_not_choose(
    run: Run, world: Internet, env: Env, line: str
) -> None:
    """A model is named, and neither key nor endpoint: each variable that would do is named."""
    env["LLMCLI_MODEL"] = "x"
    done = run(*line.split(), input=b"a\n")
    assert (done.returncode, world.received) == (78, [])
    said = (done.stdout + done.stderr).decode()
    for provider in PROVIDERS.values():
        if provider.variables and provider.base_url:
            assert provider.variables[0] in said
    assert "--base-url" in said and "`llmcli help keys`" in said


@pytest.mark.parametrize("line", ["models", "hi there", "config check"])
def test_the_keys_of_several_providers(run: Run, world: Internet, env: Env, line: str) -> None:
    env |= SEVERAL
    done = run(*line.split())
    assert (done.returncode, world.received) == (78, [])
    assert b"choose one: --profile openai or --profile groq" in done.stdout + done.stderr


def test_models_of_a_provider_that_was_chosen(run: Run, world: Internet, env: Env) -> None:
    world.script = lambda wire, _request: wire.json({"data": [{"id": "small"}]})
    env |= {"LLMCLI_MODEL": "local", "GROQ_API_KEY": "key-of-groq"}
    assert run("models").stdout.startswith(b"small\t")
    assert {origin for origin, _ in world.received} == {"https://api.groq.com"}
    assert run("models", "--profile", "cline").stdout.startswith(b"small\t")


@pytest.mark.parametrize("line", ["-c hi", "session show", "session export"])
def test_the_last_session_was_removed(run: Run, server: Server, line: str) -> None:
    run("ask", "--session", "trip", "hi")
    assert run("session", "remove", "trip").returncode == 0
    done = run(*shlex.split(line))
    assert (done.returncode, len(server.requests)) == (66, 1)
    message = "the last session, trip, was removed; name another with --session"
    assert one_line(done.stderr).startswith(f"llmcli: {message}")


def test_without_a_home_nothing_is_recorded_and_nothing_said(
    run: Run, server: Server, env: Env
) -> None:
    del server
    env["HOME"] = "/nonexistent"
    done = run("ask", "-n", "hi")
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert "not recorded" not in one_line(done.stderr)  # it is the usage line
    assert run("ask", "-n", "-q", "hi").stderr == b""
    assert run("map", "-q", "{}", input=b"a\n").stderr == b""
    assert b"no home directory, so no file" in run("config", "check").stdout


def test_a_budget_without_a_home_sends_nothing(run: Run, server: Server, env: Env) -> None:
    env |= {"HOME": "/nonexistent", "LLMCLI_BUDGET": '{"day": 1}'}
    env["LLMCLI_PRICES"] = '{"*": {"prompt": 1, "completion": 1}}'
    done = run("ask", "-n", "--max-tokens", "5", "hi")
    assert (done.returncode, server.requests) == (74, [])


CURL: list[tuple[dict[str, str], str, str | None]] = [
    ({"LLMCLI_API_KEY": KEY}, "--base-url {url}", "Authorization: Bearer $LLMCLI_API_KEY"),
    ({"OPENAI_API_KEY": KEY}, "", "Authorization: Bearer $OPENAI_API_KEY"),
    ({"LLMCLI_API_KEY": KEY}, "--profile groq", "Authorization: Bearer $GROQ_API_KEY"),
    ({"OPENAI_API_KEY": KEY}, "--base-url {url}", None),
    ({}, "--base-url {url}", None),
    ({}, "--profile ollama", None),
    ({"MINE": KEY, "LLMCLI_API_KEY_ENV": "MINE"}, "--base-url {url}", "Bearer $MINE"),
    ({"LLMCLI_API_KEY_COMMAND": "false"}, "--base-url {url}", "Bearer $LLMCLI_API_KEY"),
    (
        {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"},
        "",
        '"api-key: $AZURE_OPENAI_API_KEY"',
    ),
    (
        {"LLMCLI_API_KEY": KEY},
        "--base-url {url} --header 'Authorization: Basic x'",
        '"Authorization: $LLMCLI_HEADER_AUTHORIZATION"',
    ),
]


@pytest.mark.parametrize(("variables", "options", "shown"), CURL)
def test_curl_names_the_variable_of_the_key(
    run: Run, env: Env, variables: Env, options: str, shown: str | None
) -> None:
    env |= variables
    words = shlex.split(options.format(url="http://127.0.0.1:9/v1"))
    done = run("ask", "-m", "m", *words, "--curl", "hi")
    assert done.returncode == 0, done.stderr
    command = done.stdout.decode().partition("--data-binary")[0]
    assert command.count("$") == (shown is not None)
    assert shown is None or shown in command
    assert KEY not in command


@pytest.mark.parametrize("name", ["wrok", "opnai", "xyz"])
def test_an_unknown_profile_names_all_the_nearest_first(
    run: Run, config: Callable[[str], Path], name: str
) -> None:
    path = config("[profiles.work]\n")
    said = one_line(run("ask", "--profile", name, "hi").stderr)
    assert said.startswith(f"llmcli: unknown profile '{name}'; ")
    listed = said.lower().partition("the profiles are ")[2].partition(";")[0].split(", ")
    assert set(listed) == {"work", *PROVIDERS}
    near = {"wrok": "work", "opnai": "openai"}.get(name)
    if near:
        assert listed[0] == near and f"did you mean {near}?" in said
    else:
        assert said.endswith(f"define others in {path}")


def test_a_wait_that_is_too_long_is_said_once(run: Run, endpoint: Endpoint) -> None:
    def later(wire: Wire, _request: Request) -> None:
        body = {"error": {"message": "Slow down."}}
        wire.json(body, "429 Too Many Requests", "Retry-After: 900")

    endpoint(later)
    said = one_line(run("ask", "hi").stderr)
    assert said.count("900") == 1
    assert "Slow down" in said and "try again in 900 s, as the server asks" in said


BINARY = bytes(range(128, 256)) + bytes(range(32))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (BINARY, "is binary: byte 0x80 at offset 0; `file {}` may say what it is"),
        (b"\xfe\x01\x02" * 9, "is binary: byte 0xfe at offset 0; `file {}` may say what it is"),
        ("naïve café\n".encode("cp1252"), "is not UTF-8 text: byte 0xef at offset 2; convert it: "),
        ("Привет\n".encode("koi8-r"), "is not UTF-8 text: byte 0xf0 at offset 0; convert it: "),
    ],
)
def test_only_what_looks_like_text_is_to_be_converted(
    run: Run, server: Server, tmp_path: Path, data: bytes, says: str
) -> None:
    (tmp_path / "data").write_bytes(data)
    for done, name in (
        (run("ask", "-f", "data", "hi"), "data"),
        (run("ask", "hi", input=data), "FILE"),
    ):
        assert (done.returncode, server.requests) == (65, [])
        assert says.format(name) in one_line(done.stderr)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not So"])
@pytest.mark.parametrize("body", [b"no", b'{"error": {"message": "not here"}}'])
def test_an_endpoint_that_lists_no_models_is_no_failure(
    run: Run, endpoint: Endpoint, status: str, body: bytes
) -> None:
    def script(wire: Wire, request: Request) -> None:
        if request.method == "POST":
            return answer("ok")(wire, request)
        return wire.whole(body, status, "application/json")

    endpoint(script)
    done = run("config", "check")
    assert done.returncode == 0, done.stdout
    assert b"answers, but lists no models" in done.stdout and b"FAIL" not in done.stdout


@pytest.mark.parametrize("group", ["session", "local", "config", "template"])
@pytest.mark.parametrize("line", ["{} --help", "help {}"])
def test_the_help_of_a_group_has_headings_and_whole_sentences(
    run: Run, group: str, line: str
) -> None:
    lines = run(*line.format(group).split()).stdout.decode().splitlines()
    commands = lines[lines.index("Commands:") + 1 :]
    assert "Options:" in lines and len(commands) >= 3
    assert all(one.endswith(".") and not one.endswith("...") for one in commands)


SHOWN: list[tuple[dict[str, str], Any, str]] = [
    ({}, "the embedded model", "no key and no endpoint is configured"),
    ({"GROQ_API_KEY": KEY}, "groq", "GROQ_API_KEY"),
    ({"CLINE_API_KEY": KEY}, "cline", "CLINE_API_KEY"),
    ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "openai", "OPENAI_BASE_URL"),
    ({"LLMCLI_BASE_URL": "http://u:secret@127.0.0.1:9/v1"}, "127.0.0.1:9", "LLMCLI_BASE_URL"),
    ({"LLMCLI_MODEL": "ollama/x"}, "ollama", "model"),
    ({"LLMCLI_MODEL": "local", "GROQ_API_KEY": KEY}, "the embedded model", "LLMCLI_MODEL"),
    ({"LLMCLI_MODEL": "x"}, None, "no key and no endpoint is configured"),
    (SEVERAL, None, "OPENAI_API_KEY and GROQ_API_KEY are set, and no endpoint is configured; "
     "choose one: --profile openai or --profile groq"),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "name", "source"), SHOWN)
def test_config_shows_the_endpoint_that_is_chosen(
    run: Run, env: Env, variables: Env, name: str | None, source: str
) -> None:
    env |= variables
    done = run("config", "show", "--json")
    shown = json.loads(done.stdout)
    assert shown["endpoint"] == {"value": name, "source": source}
    assert KEY.encode() not in done.stdout and b"secret" not in done.stdout
    key = next((v for v in variables if v.endswith("_KEY")), None)
    if name in PROVIDERS and key:
        assert shown["api_key"] == {"value": f"…{KEY[-4:]}", "source": key}


def test_no_home_makes_no_file_as_root(env: Env, tmp_path: Path, server: Server) -> None:
    del server, env["HOME"]
    env["PYTHONPATH"] = str(tmp_path)
    account = "import pwd\npwd.getpwuid = lambda _: type('Account', (), {'pw_dir': '/nonexistent'})"
    (tmp_path / "sitecustomize.py").write_text(account)
    before = Path("/nonexistent").exists()
    done = subprocess.run([PROGRAM, "-n", "-q", "hi"], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ok\n", b"")
    assert Path("/nonexistent").exists() == before

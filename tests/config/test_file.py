"""config.toml, profiles, the environment, and the commands that look at them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import KEY, Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]


@pytest.fixture
def server(endpoint: Endpoint) -> Server:
    return endpoint(answer("ok"))


def test_flag_over_environment_over_profile_over_top_level(
    run: Run, server: Server, config: Config, env: dict[str, str]
) -> None:
    del env["LLMCLI_MODEL"]
    config('model = "top"\ntemperature = 1\n[profiles.work]\nmodel = "profile"\nseed = 3\n')

    def body(*arguments: str) -> tuple[object, ...]:
        assert run("ask", "hi", *arguments).returncode == 0
        sent = server.requests[-1].json
        return sent["model"], sent.get("temperature"), sent.get("seed")

    assert body() == ("top", 1.0, None)
    assert body("--profile", "work") == ("profile", 1.0, 3)
    env["LLMCLI_PROFILE"] = "work"
    assert body() == ("profile", 1.0, 3)
    env["LLMCLI_MODEL"] = "variable"
    assert body() == ("variable", 1.0, 3)
    assert body("-m", "flag", "--temperature", "0") == ("flag", 0.0, 3)


def test_default_profile_system_and_tables(run: Run, server: Server, config: Config) -> None:
    config(
        'profile = "p"\nsystem = "top"\noptions = { a = 1, b = 2 }\n'
        '[profiles.p]\nsystem = "mine"\noptions = { b = 3 }\n'
    )
    assert run("ask", "-o", "c=4", "hi").returncode == 0
    body = server.only.json
    assert (body["a"], body["b"], body["c"]) == (1, 3, 4)
    assert body["messages"][0] == {"role": "system", "content": "mine"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('model = "x"\ntemperature = = 1\n', ":2:15: not TOML: Invalid value"),
        ('model = "x', ":1:"),
        ('modle = "x"\n', ":1: unknown setting 'modle'; did you mean model?"),
        ("[profiles.a]\nmodell = 1\n", ":2: unknown setting 'modell'; did you mean model?"),
        ('\ntemperature = "hot"\n', ":2: temperature must be a number, not 'hot'"),
        ("max_tokens = 1.5\n", "max_tokens must be a whole number"),
        ("max_tokens = true\n", "max_tokens must be a whole number"),
        ("stop = [1]\n", "stop must be a list of texts"),
        ("headers = { a = 1 }\n", "the values of headers must be texts"),
        ("profiles = 3\n", "write [profiles.NAME]"),
        ('api_key = "sk-secret"\n', "keys are not kept in config.toml"),
        ('headers = { Authorization = "x" }\n', "holds a key and can be read by others; chmod 600"),
    ],
)
def test_a_bad_config_is_one_line_with_its_place(
    run: Run, server: Server, config: Config, text: str, says: str
) -> None:
    path = config(text)
    path.chmod(0o644)
    done = run("ask", "hi")
    assert done.returncode == 78
    line = one_line(done.stderr)
    assert str(path) in line and says in line
    assert "sk-secret" not in line
    assert server.requests == []


def test_config_that_is_not_utf8_or_not_readable(run: Run, server: Server, config: Config) -> None:
    path = config("")
    path.write_bytes(b'model = "x"\nsystem = "\xff"\n')
    assert f"{path}:2: not UTF-8" in one_line(run("ask", "hi").stderr)
    path.unlink()
    path.mkdir()
    done = run("ask", "hi")
    assert done.returncode == 78
    assert "Is a directory" in one_line(done.stderr)


def test_unknown_profile_names_what_there_is(run: Run, server: Server, config: Config) -> None:
    config("[profiles.work]\n[profiles.home]\n")
    done = run("ask", "--profile", "wrok", "hi")
    assert done.returncode == 78
    assert "unknown profile 'wrok'" in one_line(done.stderr)
    assert "did you mean work?" in one_line(done.stderr)


@pytest.mark.parametrize("name", ["LLMCLI_TEMPERATURE", "LLMCLI_MAX_TOKENS", "LLMCLI_ALLOW_HTTP"])
def test_bad_value_in_the_environment(
    run: Run, server: Server, env: dict[str, str], name: str
) -> None:
    env[name] = "warm"
    done = run("ask", "hi")
    assert done.returncode == 78
    assert f"{name} must be " in one_line(done.stderr)
    assert ", not 'warm'" in one_line(done.stderr)


def test_config_of_the_working_directory_is_not_read(
    run: Run, server: Server, tmp_path: Path
) -> None:
    for name in ("config.toml", ".llmcli.toml", "llmcli.toml", ".env"):
        (tmp_path / name).write_text('base_url = "http://127.0.0.1:1"\nLLMCLI_BASE_URL=x\n')
    assert run("ask", "hi").returncode == 0


def test_path_follows_xdg_and_its_own_variable(run: Run, env: dict[str, str], home: Path) -> None:
    assert run("config", "path").stdout.decode().strip() == f"{home}/.config/llmcli/config.toml"
    env["XDG_CONFIG_HOME"] = "/xdg"
    assert run("config", "path").stdout == b"/xdg/llmcli/config.toml\n"
    env["LLMCLI_CONFIG"] = "/my/own.toml"
    assert run("config", "path").stdout == b"/my/own.toml\n"


def test_show_says_where_each_value_came_from_and_masks_secrets(
    run: Run, server: Server, config: Config
) -> None:
    path = config('temperature = 0.5\nheaders = { X-Api-Key = "topsecret", X-Team = "blue" }\n')
    path.chmod(0o600)
    done = run("config", "show", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["model"] == {"value": "m", "source": "LLMCLI_MODEL"}
    assert shown["temperature"] == {"value": 0.5, "source": str(path)}
    assert shown["headers"]["value"] == {"X-Api-Key": "***", "X-Team": "blue"}
    assert shown["api_key"] == {"value": "…cdef", "source": "LLMCLI_API_KEY"}
    text = run("config", "show").stdout.decode()
    assert "LLMCLI_MODEL" in text
    for secret in ("topsecret", KEY):
        assert secret not in text and secret.encode() not in done.stdout


MODELS = {"object": "list", "data": [{"id": "m"}, {"id": "vendor/big"}, {"bad": 1}]}


def test_check_finds_all_well_and_keeps_the_model_ids(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    server = endpoint(lambda wire, _: wire.json(MODELS))
    done = run("config", "check")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "FAIL" not in done.stdout.decode()
    assert server.requests[0].path == "/v1/models"
    assert {r.method for r in server.requests} == {"GET"}
    assert {r.headers["authorization"] for r in server.requests} == {f"Bearer {KEY}"}
    cached = list((home / ".cache/llmcli/models").glob("*.txt"))
    assert [path.read_text() for path in cached] == ["m\nvendor/big\n"]


def test_check_names_near_models(run: Run, endpoint: Endpoint) -> None:
    endpoint(lambda wire, _: wire.json(MODELS))
    text = run("config", "check", "-m", "vendor/bog").stdout.decode()
    assert "vendor/bog is not among the 2 models of the endpoint; near ones: vendor/big" in text


def refusing(status: str) -> Script:
    def script(wire: Wire, _: Request) -> None:
        wire.json({"error": {"message": "no"}}, status)

    return script


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        ("401 No", 77, "key from LLMCLI_API_KEY"),
        ("404 No", 0, "lists no models"),
        ("500 No", 69, "HTTP 500"),
    ],
)
def test_check_says_what_is_wrong(
    run: Run, endpoint: Endpoint, status: str, code: int, says: str
) -> None:
    endpoint(refusing(status))
    done = run("config", "check")
    assert done.returncode == code
    assert says in done.stdout.decode()


def test_check_of_a_broken_setup(run: Run, config: Config, env: dict[str, str]) -> None:
    config("modle = 1\n")
    done = run("config", "check")
    assert done.returncode == 78
    assert b"did you mean model?" in done.stdout
    config("")
    env["LLMCLI_BASE_URL"] = "http://127.0.0.1:9"
    done = run("config", "check")
    assert done.returncode == 78
    assert b"no model is configured for 127.0.0.1:9; name one with -m" in done.stdout
    env["LLMCLI_MODEL"] = "m"
    done = run("config", "check")
    assert done.returncode == 68
    assert b"Connection refused" in done.stdout

"""Which endpoint is asked where the user names none, and what is said of keys and variables."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llmcli.config.providers import PROVIDERS
from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.internet import Internet, keys_in
from tests.support.program import KEY, Run, one_line

Config = Callable[[str], Path]
Endpoint = Callable[[Script], Server]
Env = dict[str, str]

OPENAI, GROQ = "https://api.openai.com", "https://api.groq.com"
CLINE, ANTHROPIC = "https://api.cline.bot", "https://api.anthropic.com"
AZURE, OWN = "https://mine.openai.azure.com", "https://own.example"


@pytest.mark.parametrize(
    ("variables", "arguments", "to", "key"),
    [
        ({"OPENAI_API_KEY": KEY}, (), f"{OPENAI}/v1", KEY),
        ({"GROQ_API_KEY": KEY}, (), f"{GROQ}/openai/v1", KEY),
        ({"ANTHROPIC_API_KEY": KEY}, (), f"{ANTHROPIC}/v1", KEY),
        ({"LLMCLI_API_KEY": KEY, "GROQ_API_KEY": "other"}, (), f"{CLINE}/api/v1", KEY),
        ({"CLINE_API_KEY": KEY, "GROQ_API_KEY": "other"}, (), f"{CLINE}/api/v1", KEY),
        (
            {"OPENAI_API_KEY": "other", "GROQ_API_KEY": KEY},
            ("--profile", "groq"),
            f"{GROQ}/openai/v1",
            KEY,
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{OWN}/o/v1"},
            ("--profile", "openai"),
            f"{OWN}/o/v1",
            KEY,
        ),
        (
            {"OPENAI_API_KEY": "other", "OPENAI_BASE_URL": f"{OWN}/o/v1"},
            ("--base-url", f"{OPENAI}/v1"),
            f"{OPENAI}/v1",
            None,
        ),
        (
            {"LLMCLI_API_KEY": KEY, "OPENAI_API_KEY": "other"},
            ("--base-url", f"{OPENAI}/v1"),
            f"{OPENAI}/v1",
            KEY,
        ),
        (
            {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": f"{AZURE}/"},
            (),
            f"{AZURE}/openai/v1",
            KEY,
        ),
    ],
)
def test_the_endpoint_that_a_key_means(
    run: Run, world: Internet, env: Env, variables: Env, arguments: tuple[str, ...], to: str,
    key: str | None,
) -> None:  # fmt: skip
    done = run("ask", "-n", "-m", "m", *arguments, "hi", env={**env, **variables})
    assert done.returncode == 0, done.stderr
    [(at, request)] = world.received
    assert at + request.path == f"{to}/chat/completions"
    assert keys_in(request) == ([key] if key else [])
    # The line says who answered: a server that stands for a provider is called by its host.
    known = {str(provider.base_url): name for name, provider in PROVIDERS.items()}
    name = known.get(to) or ("azure" if "azure" in to else "own.example")
    assert one_line(done.stderr).startswith(f"llmcli: {name} m: ")


def test_azure_wants_a_header_of_its_own(run: Run, world: Internet, env: Env) -> None:
    env |= {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": AZURE}
    assert run("ask", "-n", "-m", "m", "hi").returncode == 0
    [(_, request)] = world.received
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers
    printed = run("ask", "-n", "-m", "m", "--curl", "hi").stdout
    assert b'-H "api-key: $AZURE_OPENAI_API_KEY"' in printed
    assert b"Authorization" not in printed


def test_a_key_of_azure_without_its_address_is_none(run: Run, env: Env) -> None:
    env["AZURE_OPENAI_API_KEY"] = KEY
    done = run("ask", "-n", "-m", "m", "--profile", "azure", "hi")
    assert done.returncode == 78
    assert "set AZURE_OPENAI_ENDPOINT" in one_line(done.stderr)


def test_keys_of_several_providers(run: Run, env: Env) -> None:
    env |= {"OPENAI_API_KEY": KEY, "GROQ_API_KEY": KEY}
    for command in (["ask", "-n", "hi there"], ["models"]):
        done = run(*command)
        assert done.returncode == 78
        line = one_line(done.stderr)
        assert "OPENAI_API_KEY and GROQ_API_KEY are set" in line
        assert "choose one: --profile openai or --profile groq" in line
    shown = run("config", "check").stdout.decode()
    assert "GROQ_API_KEY is set and not used here; --profile groq uses it" in shown


def test_the_default_model_of_a_provider(run: Run, world: Internet, env: Env) -> None:
    env["OPENAI_API_KEY"] = KEY
    assert run("ask", "-n", "hi").returncode == 0
    [(_, request)] = world.received
    assert request.json["model"] == PROVIDERS["openai"].model
    env["OPENAI_BASE_URL"] = f"{OWN}/v1"  # another server, whose models are not known
    done = run("ask", "-n", "hi")
    assert done.returncode == 78
    assert "no model is configured for own.example" in one_line(done.stderr)


@pytest.mark.parametrize("prefix", ["ollama", "lmstudio", "llama.cpp"])
def test_a_prefix_chooses_a_server_of_this_machine(
    run: Run, endpoint: Endpoint, env: Env, prefix: str
) -> None:
    env |= {"LLMCLI_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    shown = run("config", "check", "-m", f"{prefix}/a/b").stdout.decode()
    assert f"{PROVIDERS[prefix].base_url} (model)" in shown
    assert "model       a/b" in shown
    # Beside an endpoint it is a part of the id.
    server = endpoint(answer("ok"))
    run("ask", "-n", "-m", f"{prefix}/a/b", "hi")
    assert server.only.json["model"] == f"{prefix}/a/b"


def test_a_provider_that_is_asked_without_its_key(run: Run, env: Env) -> None:
    env["LLMCLI_API_KEY"] = KEY
    done = run("ask", "-n", "-m", "m", "--profile", "groq", "hi")
    assert done.returncode == 78
    assert "no API key for api.groq.com; set GROQ_API_KEY" in one_line(done.stderr)


def test_a_profile_of_config_wins_over_the_provider(
    run: Run, endpoint: Endpoint, config: Config, env: Env
) -> None:
    server = endpoint(answer("ok"))
    del env["LLMCLI_BASE_URL"]
    config(f'[profiles.openai]\nbase_url = "{server.base_url}"\napi_key_env = "MY_KEY"\n')
    env |= {"OPENAI_API_KEY": "other", "MY_KEY": "mine"}
    assert run("ask", "-n", "--profile", "openai", "hi").returncode == 0
    assert server.only.headers["authorization"] == "Bearer mine"
    del env["MY_KEY"]
    done = run("ask", "-n", "--profile", "openai", "hi")
    assert done.returncode == 78
    assert "api_key_env names MY_KEY, which is not set" in one_line(done.stderr)


def test_a_header_of_the_user_wins_over_every_key(
    run: Run, endpoint: Endpoint, config: Config, env: Env
) -> None:
    server = endpoint(answer("ok"))
    env["LLMCLI_API_KEY_COMMAND"] = '["false"]'
    for name in ("Authorization", "authorization"):
        assert run("ask", "-n", "hi", "--header", f"{name}=Basic abcdefgh").returncode == 0
        assert server.requests[-1].headers["authorization"] == "Basic abcdefgh"
    text = 'headers = { Authorization = "Basic abcdefgh" }\napi_key_file = "key"\n'
    config(text).chmod(0o600)
    done = run("ask", "-n", "hi")
    assert done.returncode == 78
    assert "api_key_file and the header Authorization stand in one table" in one_line(done.stderr)


def test_a_query_of_the_base_url(run: Run, endpoint: Endpoint, env: Env, home: Path) -> None:
    def script(wire: Wire, request: Request) -> None:
        if request.method == "GET":
            wire.json({"data": [{"id": "m"}]})
        else:
            answer("ok")(wire, request)

    server = endpoint(script)
    env["LLMCLI_BASE_URL"] = f"{server.base_url}?api-version=2024-10-21&sig=s3cr%20etpart"
    done = run("ask", "-n", "-v", "--session", "t", "hi")
    assert done.returncode == 0
    query = "?api-version=2024-10-21&sig=s3cr%20etpart"
    assert server.only.path == f"/v1/chat/completions{query}"
    told = [done.stderr, run("config", "show").stdout, run("config", "check").stdout]
    assert f"/v1/models{query}" in [request.path for request in server.requests]
    told.append(run("ask", "-n", "--curl", "hi").stdout)
    assert b"?api-version=2024-10-21&sig=***" in told[-1]
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    names = [str(path).encode() for path in home.rglob("*")]
    assert files and not any(b"etpart" in text for text in (*told, *files, *names))
    # The session goes on with the same endpoint, and knows another query as another endpoint.
    assert run("ask", "-n", "-c", "more").returncode == 0
    assert len(server.requests[-1].json["messages"]) == 3


def test_a_misspelt_variable(run: Run, endpoint: Endpoint, env: Env) -> None:
    endpoint(answer("ok"))
    env |= {"LLMCLI_MODLE": "x", "LLMCLI_HEADER_X": "mine"}
    first, _usage = run("ask", "-n", "hi").stderr.decode().splitlines()
    assert "LLMCLI_MODLE is not a variable that llmcli knows; did you mean LLMCLI_MODEL?" in first
    assert run("ask", "-n", "-q", "hi").stderr == b""


def test_check_names_what_an_endpoint_without_a_model_offers(
    run: Run, endpoint: Endpoint, env: Env
) -> None:
    for ids, told in ((["one"], "offers one: -m one"), (["a", "b"], "offers 2: a, b")):
        endpoint(lambda wire, _, i=ids: wire.json({"data": [{"id": x} for x in i]}))  # type: ignore[misc]
        del env["LLMCLI_MODEL"]
        done = run("config", "check")
        assert done.returncode == 78
        assert told in done.stdout.decode()


def test_check_shows_the_price_of_the_settings(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    endpoint(lambda wire, _: wire.json({"data": [{"id": "m"}]}))
    config("[prices]\nm = { prompt = 3, completion = 15 }\n")
    shown = run("config", "check").stdout.decode()
    assert "price       $3.00 in, $15.00 out, per million tokens (prices of config.toml)" in shown


def test_a_variable_for_the_endpoint_stands_above_a_provider(
    run: Run, endpoint: Endpoint, env: Env
) -> None:
    server = endpoint(answer("ok"))
    env["OPENAI_API_KEY"] = "other"
    first, _usage = run("ask", "-n", "--profile", "openai", "hi").stderr.decode().splitlines()
    assert "LLMCLI_BASE_URL stands above the profile openai" in first
    assert keys_in(server.only) == [KEY]

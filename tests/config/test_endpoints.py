"""Which endpoint is asked where the user names none, and that each key goes to its own alone."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.backends import connect
from llmcli.config import file
from llmcli.config.providers import PROVIDERS
from llmcli.errors import LlmcliError
from llmcli.system.environment import Environment
from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.internet import Internet, internet, keys_in
from tests.support.program import KEY, Run, one_line

Config = Callable[[str], Path]
Endpoint = Callable[[Script], Server]
Env = dict[str, str]

OPENAI, GROQ = "https://api.openai.com", "https://api.groq.com"
CLINE, ANTHROPIC = "https://api.cline.bot", "https://api.anthropic.com"
AZURE, OWN, FAR = "https://mine.openai.azure.com", "https://own.example", "https://far.example"

# The origin of each provider's own variable, where no other variable moves it.
HOMES = {
    "CLINE_API_KEY": CLINE,
    "OPENAI_API_KEY": OPENAI,
    "GROQ_API_KEY": GROQ,
    "ANTHROPIC_API_KEY": ANTHROPIC,
    "AZURE_OPENAI_API_KEY": None,
}
URLS = [f"{OPENAI}/v1", f"{GROQ}/openai/v1", f"{OWN}/v1?code=s3cretpart", f"{FAR}:8443/v1",
        "http://api.openai.com/v1", f"{CLINE}/api/v1"]  # fmt: skip
CONFIGS = [
    "",
    f'base_url = "{OWN}/v1"\n',
    f'[profiles.mine]\nbase_url = "{FAR}/v1"\napi_key_env = "GROQ_API_KEY"\n',
    f'[profiles.openai]\nbase_url = "{OWN}/v1"\n',
    f'base_url = "{OWN}/v1"\napi_key_env = "MY_KEY"\n',
]
PROFILES = [None, "openai", "groq", "azure", "cline", "ollama", "mine"]


def key_of(name: str) -> str:
    """A key that tells whose it is."""
    return f"sk-of-{name}-0123456789"


@pytest.fixture
def world(tmp_path: Path, env: Env) -> Iterator[Internet]:
    with internet(tmp_path) as world:
        env |= world.variables
        yield world


def origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]


def may_go(name: str, to: str, case: dict[str, Any]) -> bool:
    """Whether the key in the variable `name` may go to the origin of `to`, as the manual has it."""
    variables, profile, text = case["variables"], case["profile"], CONFIGS[case["config"]]
    named = case["flag"] or variables.get("LLMCLI_BASE_URL")
    if profile == "mine" and name == "GROQ_API_KEY" and origin(to) == origin(FAR):
        return True
    if name == "MY_KEY":
        return 'MY_KEY"' in text and origin(to) == origin(OWN)
    if name == "LLMCLI_API_KEY":
        if named:
            return origin(to) == origin(named)
        by_profile = profile == "mine" or f"[profiles.{profile}]" in text
        if profile and not by_profile:
            return False
        configured = text.startswith("base_url") or by_profile
        return origin(to) in ([origin(OWN), origin(FAR)] if configured else [origin(CLINE)])
    moved = {"OPENAI_API_KEY": "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY": "AZURE_OPENAI_ENDPOINT"}
    home = variables.get(moved.get(name, "")) or HOMES[name]
    return home is not None and origin(to) == origin(home)


def some(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


CASES = st.fixed_dictionaries(
    {
        "variables": st.fixed_dictionaries(
            {
                **{name: some([key_of(name)]) for name in (*HOMES, "LLMCLI_API_KEY", "MY_KEY")},
                "OPENAI_BASE_URL": some([f"{GROQ}/openai/v1", f"{OWN}/o/v1", "not a URL"]),
                "AZURE_OPENAI_ENDPOINT": some([AZURE, f"{AZURE}/openai/v1/"]),
                "LLMCLI_BASE_URL": some(URLS),
                "LLMCLI_PROFILE": some(["groq"]),
            }
        ),
        "flag": some([*URLS, f"{AZURE}/openai/v1", "https://other.openai.azure.com/openai/v1"]),
        "profile": st.sampled_from(PROFILES),
        "config": st.integers(0, len(CONFIGS) - 1),
        "model": some(["x", "ollama/x", "groq/x"]),
    }
).map(lambda case: {**case, "variables": without_none(case["variables"])})


@settings(max_examples=500, deadline=None)
@given(CASES)
def test_a_key_is_chosen_for_its_own_origin_alone(
    tmp_path_factory: pytest.TempPathFactory, case: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"config-{case['config']}.toml"
    path.write_text(CONFIGS[case["config"]])
    variables = {**case["variables"], "LLMCLI_CONFIG": str(path), "HOME": "/nonexistent"}
    environment = Environment(variables)
    case["profile"] = case["profile"] or variables.get("LLMCLI_PROFILE")
    try:
        resolved = file.resolve(
            environment, {"base_url": case["flag"], "model": case["model"]}, case["profile"]
        )
        chosen = connect.choose(environment, resolved)
        if chosen.base_url is None:
            return
        endpoint = connect.endpoint(environment, resolved, chosen)
    except LlmcliError:
        return
    if endpoint.key:
        name = endpoint.key.source
        assert endpoint.key.value == key_of(name)
        assert may_go(name, chosen.base_url, case), (name, chosen.base_url)


def test_what_each_server_receives(
    run: Run, world: Internet, env: Env, config: Config, tmp_path: Path
) -> None:
    """The same with the real program, over a sample of the combinations."""
    dice = random.Random(11)
    answered = 0
    for _ in range(40):
        names = [name for name in (*HOMES, "LLMCLI_API_KEY", "MY_KEY") if dice.random() < 0.4]
        case: dict[str, Any] = {
            "variables": {name: key_of(name) for name in names},
            "flag": dice.choice([None, None, *URLS]),
            "profile": dice.choice([*PROFILES[:3], "mine"]),
            "config": dice.randrange(len(CONFIGS)),
        }
        for name, values in (
            ("OPENAI_BASE_URL", [f"{OWN}/o/v1"]),
            ("AZURE_OPENAI_ENDPOINT", [AZURE]),
            ("LLMCLI_BASE_URL", URLS),
        ):
            if dice.random() < 0.3:
                case["variables"][name] = dice.choice(values)
        config(CONFIGS[case["config"]])
        world.received.clear()
        chosen = ["--profile", case["profile"]] if case["profile"] else []
        named = ["--base-url", case["flag"]] if case["flag"] else []
        variables = {**env, **case["variables"]}
        done = run("ask", "-n", "-m", "m", "--retries", "0", *chosen, *named, "hi", env=variables)
        answered += done.returncode == 0
        assert done.returncode in (0, 78), done.stderr
        told = done.stdout + done.stderr
        assert not any(key_of(name).encode() in told for name in names)
        for to, request in world.received:
            for key in keys_in(request):
                name = key.removeprefix("sk-of-").removesuffix("-0123456789")
                assert may_go(name, to, case), (name, to, case)
    assert answered > 10


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
    assert b'-H "api-key: $LLMCLI_API_KEY"' in printed
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

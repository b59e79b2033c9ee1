"""Each key goes to its own origin alone, whatever variables, profiles, flags and URLs are given."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.backends import connect
from llmcli.config import file
from llmcli.errors import LlmcliError
from llmcli.system.environment import Environment
from tests.support.internet import Internet, keys_in
from tests.support.program import Run

Config = Callable[[str], Path]
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

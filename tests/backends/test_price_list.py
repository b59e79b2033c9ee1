"""Prices of the library genai-prices, where a provider lists none itself."""

import json
import sys
from pathlib import Path

import pytest

from llmcli.api.models import Model
from llmcli.api.reply.cost import Price
from llmcli.backends.price_list import with_prices
from llmcli.config.providers import PROVIDERS
from tests.support.endpoint import Request, Wire, answer
from tests.support.internet import internet
from tests.support.program import KEY, Run

OPENAI = str(PROVIDERS["openai"].base_url)


def test_prices_are_for_exact_ids_of_known_providers() -> None:
    listed = [Model("gpt-4o-mini"), Model("gpt-4o-mini-of-mine"), Model("vendor/gpt-4o-mini")]
    known, *others = with_prices(listed, OPENAI)
    assert known.price.prompt is not None
    assert 0 < known.price.prompt < known.price.completion < 0.0001  # type: ignore[operator]
    assert "genai-prices" in str(known.price_source)
    assert all(model.price == Price() and model.price_source is None for model in others)
    for elsewhere in ("http://127.0.0.1:1/v1", "https://own.example/v1", "http://api.openai.com"):
        assert with_prices(listed, elsewhere) == listed


def test_a_price_that_grows_with_the_prompt_counts_at_its_highest() -> None:
    [model] = with_prices([Model("gemini-2.5-pro")], str(PROVIDERS["gemini"].base_url))
    from genai_prices.data import providers  # an extra

    [google] = [provider for provider in providers if provider.id == "google"]
    [known] = [one for one in google.models if one.id == "gemini-2.5-pro"]
    tiers = known.prices.input_mtok.tiers  # type: ignore[union-attr]
    assert model.price.prompt == max(tier.price for tier in tiers) / 1_000_000


@pytest.mark.parametrize("name", [name for name, one in PROVIDERS.items() if one.prices])
def test_every_default_model_has_a_price(name: str) -> None:
    """So a default is known to exist, as far as the library knows."""
    provider = PROVIDERS[name]
    if provider.model:
        [model] = with_prices([Model(provider.model)], str(provider.base_url))
        assert model.price.prompt is not None, provider.model


def test_without_the_library_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    assert with_prices([Model("gpt-4o-mini")], OPENAI) == [Model("gpt-4o-mini")]


def test_models_and_check_fill_the_cache_that_ask_reads(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    def script(wire: Wire, request: Request) -> None:
        if request.path == "/v1/models":
            wire.json({"data": [{"id": "gpt-4o-mini"}, {"id": "of-mine"}]})
        elif request.method == "GET":
            wire.json({}, "404 No")
        else:
            answer("x", usage={"prompt_tokens": 1000, "completion_tokens": 10})(wire, request)

    with internet(tmp_path, script) as world:
        env |= world.variables | {"OPENAI_API_KEY": KEY}
        checked = run("config", "check", "-m", "gpt-4o-mini").stdout.decode()
        assert "per million tokens (estimated, genai-prices" in checked
        listed = json.loads(run("models", "--refresh", "--json").stdout)["models"]
        assert "genai-prices" in listed[0]["price_source"]
        assert listed[1]["price_source"] is None
        assert b"estimated" in run("models").stdout
        env["PYTHONVERBOSE"] = "1"
        done = run("ask", "-n", "--json", "-m", "gpt-4o-mini", "hi")
        assert b"genai_prices" not in done.stderr
        del env["PYTHONVERBOSE"]
        about = json.loads(done.stdout)["llmcli"]
        assert about["cost_source"] == "estimated"
        assert about["cost_usd"] > 0
        # A limit holds by these prices, and nothing is sent.
        done = run("ask", "-n", "-m", "gpt-4o-mini", "--max-cost", "0.000001", "hi")
        assert done.returncode == 84

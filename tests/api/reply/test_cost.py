"""What a reply cost: usage objects in the forms that servers send, with their cost and source."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from llmcli.api.reply import cost as pricing
from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run

Endpoint = Callable[[Script], Server]


def upstream(value: Any) -> dict[str, Any]:
    return {"cost_details": {"upstream_inference_cost": value}}


USAGES: list[tuple[dict[str, Any], str | None, str | None]] = [
    # One vendor's form: the cost alone.
    ({"prompt_tokens": 7, "cost": 0.00123}, "0.00123", "cost"),
    ({"cost": "0.00123"}, "0.00123", "cost"),
    ({"cost": 1.25e-05, "is_byok": False, **upstream(None)}, "0.0000125", "cost"),
    # Others: an object (Perplexity), ten thousand millionths of a dollar (xAI).
    ({"cost": {"input_tokens_cost": 0.001, "total_cost": 0.003}}, "0.003", "cost"),
    ({"cost": {"usd": "0.004"}}, "0.004", "cost"),
    ({"cost_in_usd_ticks": 37756000}, "0.0037756", "cost_in_usd_ticks"),
    # An own key: the amount stands elsewhere.
    ({"cost": 0, "is_byok": True, **upstream(0.02)}, "0.02", "cost+upstream"),
    ({"cost": 0.001, "is_byok": True, **upstream(0.02)}, "0.021", "cost+upstream"),
    ({"cost": 0.001, "is_byok": True}, "0.001", "cost"),
    ({"is_byok": True, **upstream(0.02)}, "0.02", "upstream"),
    # Both, and equal: not to be added.
    ({"cost": 0.02, **upstream(0.02)}, "0.02", "cost"),
    ({"cost": 0.02, "is_byok": False, **upstream(0.02)}, "0.02", "cost"),
    ({"cost": 0, **upstream(0.02)}, "0.02", "upstream"),
    # The other vendor's form: a market price beside a cost of nothing.
    ({"cost": 0, "market_cost": 0.3}, "0.3", "market"),
    ({"market_cost": "0.3"}, "0.3", "market"),
    ({"cost": 0.2, "market_cost": 0.3}, "0.2", "cost"),
    ({"cost": 0, "is_byok": True, **upstream(0), "market_cost": 0.3}, "0.3", "market"),
    ({"cost": 0, "market_cost": 0}, "0", "market"),
    ({"cost": 0}, "0", "cost"),
    # Unknown is not 0.
    ({}, None, None),
    ({"prompt_tokens": 7, "completion_tokens": 3}, None, None),
    ({"cost": None, **upstream(None), "market_cost": None}, None, None),
    ({"cost": -1}, None, None),
    ({"cost": "NaN"}, None, None),
    ({"cost": 1e300}, None, None),
    ({"cost": True}, None, None),
    ({"cost": -1, "market_cost": 0.3}, "0.3", "market"),
    ({"cost_details": "none"}, None, None),
]


@pytest.mark.parametrize(("usage", "usd", "source"), USAGES)
def test_cost_and_its_source(usage: dict[str, Any], usd: str | None, source: str | None) -> None:
    cost = pricing.cost(usage)
    assert (cost.usd, cost.source) == (None if usd is None else Decimal(usd), source)


@pytest.mark.parametrize(("usage", "usd", "source"), [u for u in USAGES if u[0]][::4])
def test_it_is_in_the_object_and_the_usage_stays_as_sent(
    run: Run, endpoint: Endpoint, usage: dict[str, Any], usd: str | None, source: str | None
) -> None:
    endpoint(answer("x", usage=usage))
    value = json.loads(run("ask", "--json", "hi").stdout)
    assert value["usage"] == usage
    about = value["llmcli"]
    assert about["cost_source"] == source
    assert about["cost_usd"] == (None if usd is None else float(usd))


PRICE = pricing.Price(
    prompt=Decimal("0.000003"),
    completion=Decimal("0.000015"),
    cache_read=Decimal("0.0000003"),
    cache_write=Decimal("0.00000375"),
)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, "0.0045"),
        ({"prompt_tokens": "1000", "completion_tokens": "100"}, "0.0045"),
        # prompt_tokens has the cached ones in it.
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 900, "cache_write_tokens": 100},
            },
            "0.000645",
        ),
        # More tokens of the cache than of the prompt: they were counted apart.
        ({"prompt_tokens": 10, "completion_tokens": 0, "cache_read_input_tokens": 99}, "0.0000597"),
        # Anthropic's own form: 1000 plain, 900 read, 100 written.
        (
            {
                "input_tokens": 1000,
                "output_tokens": 0,
                "cache_read_input_tokens": 900,
                "cache_creation_input_tokens": 100,
            },
            "0.003645",
        ),
        # LiteLLM: prompt_tokens has both in it; a total that is larger counts them apart.
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 0,
                "total_tokens": 1000,
                "cache_read_input_tokens": 900,
                "cache_creation_input_tokens": 100,
            },
            "0.000645",
        ),
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 100,
                "total_tokens": 1600,
                "cache_read_input_tokens": 500,
            },
            "0.00465",
        ),
        ({"prompt_tokens": 10}, None),
        ({"input_tokens": 1000, "output_tokens": 100}, "0.0045"),
        # DeepSeek's name, and Moonshot's, for what the others call cached_tokens.
        (
            {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_cache_hit_tokens": 1000},
            "0.0003",
        ),
        ({"prompt_tokens": 1000, "completion_tokens": 0, "cached_tokens": 1000}, "0.0003"),
        ({"cost": "NaN", "prompt_tokens": 1000, "completion_tokens": 100}, "0.0045"),
    ],
)
def test_tokens_at_a_price(usage: dict[str, Any], usd: str | None) -> None:
    cost = pricing.cost(usage, PRICE)
    assert cost.usd == (None if usd is None else Decimal(usd))
    assert cost.source == (None if usd is None else "estimated")


DIGITS = "9" * 5000


def test_costs_that_are_none(run: Run, endpoint: Endpoint) -> None:
    costs: list[Any] = ["1e-999999999999999", "1e-300000000", "1e999", -1, "NaN", True, [], DIGITS]
    for cost in costs:
        endpoint(answer("x", usage={"cost": cost, "prompt_tokens": 1048576}))
        done = run("ask", "--json", "hi")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["llmcli"]["cost_usd"] is None
        warning, usage = done.stderr.decode().splitlines()
        assert "warning: the server's cost " in warning and "is not a valid amount" in warning
        assert "1048576 in, cost unknown" in usage


def test_a_cost_beside_the_usage_or_in_a_header(run: Run, endpoint: Endpoint) -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 2}
    message = {"role": "assistant", "content": "x"}
    reply = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": counts}
    for body, headers in (
        ({**reply, "cost": {"total_cost": 0.25}}, []),
        (reply, ["x-litellm-response-cost: 0.25"]),
    ):
        endpoint(lambda wire, _, b=body, h=headers: wire.json(b, "200 OK", *h))  # type: ignore[misc]
        done = run("ask", "--json", "--no-stream", "hi")
        assert json.loads(done.stdout)["llmcli"]["cost_usd"] == 0.25, done.stderr

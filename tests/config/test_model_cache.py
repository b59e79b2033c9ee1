"""The models that endpoints have listed, kept between runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


NO_PRICES: list[Any] = [
    [],
    None,
    "NaN",
    "sNaN",
    "-100",
    "1e999999",
    {"prompt": []},
    {"prompt": "sNaN"},
]


NO_COUNTS: list[Any] = ["12", -10_000, [], 1e300]


@pytest.mark.parametrize(
    ("price", "output"),
    [*((price, None) for price in NO_PRICES), *(({}, count) for count in NO_COUNTS)],
)
def test_a_catalogue_that_makes_no_sense_costs_nobody_the_answer(
    run: Run, endpoint: Endpoint, home: Path, price: Any, output: Any
) -> None:
    server = endpoint(answer("x"))
    folder = home / ".cache/llmcli/models"
    folder.mkdir(parents=True)
    entries = [{"id": "m", "price": price, "max_output": output}, {"id": 7}, "x"]
    kept = {"version": 1, "time": 1e9, "models": entries}
    (folder / f"127.0.0.1_{server.port}.json").write_text(json.dumps(kept))
    assert run("ask", "hi").returncode == 0
    assert run("ask", "--max-cost", "5", "hi").returncode == 84
    server.script = lambda wire, _: wire.reset()
    assert run("models").stdout.startswith(b"m\t-\t-\t-")


def test_a_list_that_cannot_be_kept_is_told(
    run: Run, endpoint: Callable[[Script], Server], env: dict[str, str]
) -> None:
    endpoint(lambda wire, _request: wire.json({"data": [{"id": "m"}]}))
    env["XDG_CACHE_HOME"] = "/proc/nothing"
    done = run("models", "--refresh")
    assert done.returncode == 0 and done.stdout
    warning = "warning: the list of models is not kept: cannot write /proc/nothing/"
    assert warning in one_line(done.stderr)


def test_near_models_are_named(run: Run, endpoint: Endpoint) -> None:
    models = {"data": [{"id": "claude-sonnet-4.6"}, {"id": "gpt-5"}, {"id": "llama"}]}

    def script(wire: Wire, request: Request) -> None:
        if request.path == "/v1/models":
            wire.json(models)
        else:
            wire.json({"error": {"message": "model not found"}}, "404 No")

    endpoint(script)
    assert "choose another with -m" in one_line(run("ask", "hi").stderr)
    assert run("config", "check").returncode == 0
    done = run("ask", "-m", "claude-sonnet-4-6", "hi")
    assert done.returncode == 81
    assert "did you mean claude-sonnet-4.6?" in one_line(done.stderr)


def test_two_paths_of_one_host_have_their_own_prices(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path
) -> None:
    def script(wire: Wire, request: Request) -> None:
        if request.path.endswith("/models"):
            price = "0.1" if request.path.startswith("/a") else "0.5"
            wire.json({"data": [{"id": "m", "pricing": {"prompt": price, "completion": price}}]})
        else:
            answer("x", usage={"prompt_tokens": 1, "completion_tokens": 1})(wire, request)

    server = endpoint(script)
    folder = home / ".cache/llmcli/models"
    folder.mkdir(parents=True)
    old = folder / f"127.0.0.1_{server.port}.json"  # as llmcli 0.1 named it
    old.write_text('{"version": 1, "time": 1, "models": []}')
    for path in ("a", "b"):
        env["LLMCLI_BASE_URL"] = f"http://127.0.0.1:{server.port}/{path}"
        assert run("models", "--refresh").returncode == 0
    costs = []
    for path in ("a", "b"):
        env["LLMCLI_BASE_URL"] = f"http://127.0.0.1:{server.port}/{path}"
        value = json.loads(run("ask", "-m", "m", "--json", "hi").stdout)
        costs.append(value["llmcli"]["cost_usd"])
    assert costs == [0.2, 1.0]
    assert not old.exists()

"""The models an endpoint offers: both forms of the list, the cache, what it feeds."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all

Endpoint = Callable[[Script], Server]

BIG = {
    "id": "vendor/big-4.6",
    "context_length": 200000,
    "pricing": {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003"},
    "architecture": {"input_modalities": ["text", "image"]},
    "supported_parameters": ["tools", "reasoning", "temperature"],
    "top_provider": {"max_completion_tokens": 1000},
}
FREE = {
    "id": "vendor/small:free",
    "context_length": 8192,
    "pricing": {"prompt": "0", "completion": "0"},
}
ODD = {"id": "auto", "pricing": {"prompt": "-1", "completion": "-1"}, "context_length": None}
LISTED = {"data": [BIG, FREE, ODD, {"id": 7}, "x", {"id": "bad\nid"}]}


def listing(**paths: Any) -> Script:
    """GET /v1/NAME by keyword; completions otherwise."""

    def script(wire: Wire, request: Request) -> None:
        if request.method == "POST":
            answer("ok", usage={"prompt_tokens": 1000, "completion_tokens": 100})(wire, request)
            return
        found = paths.get(request.path.removeprefix("/v1/").replace("/", "_").replace("-", "_"))
        if found is None:
            wire.json({"error": {"message": "no such path"}}, "404 X")
        else:
            wire.json(found)

    return script


ROWS = [
    "auto\t-\t-\t-\t-\t-",
    "vendor/big-4.6\t200000\t3\t15\timage,tools,reasoning\t-",
    "vendor/small:free\t8192\t0\t0\t-\tfree",
]


def rows(run: Run, *arguments: str) -> list[str]:
    done = run("models", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def test_the_list_with_prices(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(listing(models=LISTED))
    assert rows(run) == ROWS
    assert [r.path for r in server.requests] == ["/v1/models"]
    assert rows(run, "BIG") == [ROWS[1]]
    assert rows(run, "--free") == [ROWS[2]]
    assert rows(run, "--takes", "image", "--takes", "tools") == [ROWS[1]]
    assert rows(run, "--sort", "price") == [ROWS[2], ROWS[1], ROWS[0]]
    assert rows(run, "--sort", "context") == [ROWS[1], ROWS[2], ROWS[0]]
    done = run("models", "nothing")
    assert done.returncode == 66
    found = json.loads(run("models", "big", "--json").stdout)["models"]
    assert found == [
        {
            "id": "vendor/big-4.6",
            "context": 200000,
            "max_output": 1000,
            "usd_per_million": {
                "prompt": 3.0,
                "completion": 15.0,
                "cache_read": 0.3,
                "cache_write": None,
            },
            "price_source": None,
            "takes": ["image", "tools", "reasoning"],
            "free": False,
            "recommended": False,
        }
    ]
    assert len(server.requests) == 1  # the rest came from the cache


def test_the_vendors_catalogue_and_picks(run: Run, endpoint: Endpoint) -> None:
    picks = {"recommended": [{"id": "vendor/big-4.6"}], "free": ["auto"]}
    endpoint(
        listing(
            models={"data": [{"id": "x"}]},
            ai_cline_models={"success": True, "data": LISTED["data"]},
            ai_cline_recommended_models=picks,
        )
    )
    assert [line.split("\t")[0::5] for line in rows(run)] == [
        ["auto", "free"],
        ["vendor/big-4.6", "recommended"],
        ["vendor/small:free", "free"],
    ]


def test_the_list_may_stand_alone_or_under_another_name(run: Run, endpoint: Endpoint) -> None:
    for listed in ([BIG, FREE], {"models": [BIG, FREE]}, {"data": [BIG, FREE]}):
        endpoint(listing(models=listed))
        assert rows(run, "--refresh") == ROWS[1:]


def test_a_plain_list_is_enough(run: Run, endpoint: Endpoint) -> None:
    endpoint(listing(models={"object": "list", "data": [{"id": "llama"}]}))
    assert rows(run) == ["llama\t-\t-\t-\t-\t-"]


def test_the_cache_and_its_age(run: Run, endpoint: Endpoint, home: Path) -> None:
    server = endpoint(listing(models=LISTED))
    rows(run)
    path = next((home / ".cache/llmcli/models").glob("*.json"))
    kept = json.loads(path.read_text())

    def aged(seconds: float) -> None:
        path.write_text(json.dumps({**kept, "time": time.time() - seconds}))

    aged(7300)
    assert "as listed 2 hours ago; --refresh asks again" in one_line(run("models").stderr)
    assert run("models", "--refresh").stderr == b""
    aged(100_000)
    assert run("models").stderr == b""  # too old: asked again
    assert len(server.requests) == 3
    aged(300_000)
    server.script = lambda wire, _: wire.reset()
    done = run("models")
    assert (done.returncode, done.stdout.decode().splitlines()) == (0, ROWS)
    assert "closed the connection without an answer; models as listed 3 days ago" in one_line(
        done.stderr
    )
    path.unlink()
    done = run("models")
    assert (done.returncode, done.stdout) == (68, b"")
    path.write_text("torn")
    assert run("models").returncode == 68


def test_near_ids_come_from_it(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(listing(models=LISTED))
    rows(run)
    server.script = lambda wire, _: wire.json(
        {"error": {"code": "model_not_found", "message": "no"}}, "404 X"
    )
    done = run("ask", "-m", "vendor/big-4-6", "hi")
    assert done.returncode == 81
    assert "did you mean vendor/big-4.6" in one_line(done.stderr)


@pytest.mark.parametrize("name", ["vendor/big-4.6", "vendor/big-4-6"])
def test_it_prices_what_the_server_does_not(run: Run, endpoint: Endpoint, name: str) -> None:
    endpoint(listing(models=LISTED))
    done = run("ask", "-m", name, "hi")
    assert "cost unknown" in one_line(done.stderr)  # nothing is fetched behind one's back
    rows(run)
    done = run("ask", "-m", name, "hi")
    assert "1000 in, 100 out, about $0.0045" in one_line(done.stderr)
    about = json.loads(run("ask", "-m", name, "--json", "hi").stdout)["llmcli"]
    assert (about["cost_usd"], about["cost_source"]) == (0.0045, "estimated")


def test_a_table_on_a_terminal(endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(listing(models=LISTED))
    command = [PROGRAM, "models"]
    with on_a_terminal(command, {**env, "COLUMNS": "100", "NO_COLOR": "1"}) as (process, terminal):
        shown = read_all(terminal).decode()
        assert process.wait(120) == 0
    heading, *lines = shown.splitlines()
    assert "context" in heading and "$/M in" in heading
    assert [line.split()[0] for line in lines] == ["auto", "vendor/big-4.6", "vendor/small:free"]


def test_check_says_price_credits_and_budget(
    run: Run, endpoint: Endpoint, config: Callable[[str], Path]
) -> None:
    config("budget = { day = 5.0, tag.nightly.month = 1 }")
    told = {"data": {"total_credits": 10, "total_usage": 2.5}}
    endpoint(listing(models=LISTED, credits=told))
    text = run("config", "check", "-m", "vendor/big-4.6").stdout.decode()
    assert "ok    price       $3.00 in, $15.00 out, per million tokens" in text
    assert "ok    credits     $7.50 left" in text
    assert "ok    budget      the budget, $5.00 a day: $0 spent or in flight" in text
    assert "ok    budget      the budget of tag nightly, $1.00 a month: $0 spent" in text
    assert "note  price       not known" in run("config", "check", "-m", "auto").stdout.decode()

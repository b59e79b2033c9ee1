"""What a request may cost at most: what bounds it, and what does not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.program import At, Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]
PRICES = 'prices = { "*" = { prompt = 1, completion = 10 } }\n'


@pytest.mark.parametrize(
    "options",
    [
        ("-o", "max_tokens=-1"),
        ("-o", "max_tokens=true"),
        ("--max-tokens", "100", "-o", "n=-1"),
        ("--max-tokens", "100", "-o", 'n="100"'),
        ("--max-tokens", "100", "-o", "n=100.0"),
        ("--max-tokens", "100", "-o", "best_of=20"),
        ("--max-tokens", "100000", "-o", "max_completion_tokens=1"),
        ("--max-tokens", "100", "-o", f'functions=[{{"x": "{"y" * 50_000}"}}]'),
    ],
)
def test_what_bounds_nothing_is_not_sent(
    run: Run, endpoint: Endpoint, config: Config, options: tuple[str, ...]
) -> None:
    config(PRICES)
    server = endpoint(answer("x"))
    assert run("ask", "--max-cost", "0.005", *options, "hi").returncode == 84
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRICES", '{"*": {"prompt": "abc", "completion": -5}}'),
        ("PRICES", '{"*": 5}'),
        ("PRICES", '{"*": {"foo": 5}}'),
        ("BUDGET", "[" * 100_000),
        ("BUDGET", '{"timezone": 5}'),
        ("BUDGET", '{"tag": {"day": 1}}'),
    ],
)
def test_budgets_and_prices_that_are_none_in_the_environment(
    run: Run, endpoint: Endpoint, env: dict[str, str], name: str, value: str
) -> None:
    server = endpoint(answer("x"))
    env[f"LLMCLI_{name}"] = value
    for command in (["ask", "--max-tokens", "9", "hi"], ["config", "check"]):
        assert run(*command).returncode == 78
    assert "POST" not in [r.method for r in server.requests]


def test_a_profile_adds_to_the_budget_and_loses_no_limit(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    config(f"{PRICES}budget.tag.nightly.day = 0.00001\n[profiles.p]\nbudget.tag.other.day = 1")
    endpoint(answer("x"))
    ask = ("ask", "--profile", "p", "--max-tokens", "10", "hi")
    assert run(*ask, "--tag", "nightly").returncode == 84
    assert run(*ask, "--tag", "other").returncode == 0


def test_what_costs_nothing_is_in_every_budget(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    free = "free = { prompt = 0, completion = 0 }"
    config(PRICES.replace("} }", "}, " + free + " }") + "budget.day = 0.005")
    endpoint(answer("x", usage={"cost": 0.01}))
    ask = ("ask", "--max-tokens", "10", "hi")
    assert run(*ask).returncode == 0
    assert run(*ask).returncode == 84
    assert run(*ask, "-m", "free").returncode == 0


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


AMOUNTS: list[dict[str, Any]] = [
    *({"tag": [1]}, {"tag": {}}, {"cost_usd": -1000}, {"cost_usd": True}),
    *({"prompt_tokens": "x"}, {"prompt_tokens": [1]}, {"prompt_tokens": 1.5}),
    {"cost_usd": "1e99999999999999999999"},
]
NO_RECORDS = [
    *("nonsense", "[]", "[" * 200_000, '{"time": 5}', '{"event": "intent"}', "\x00\xff"),
    '{"id": "0123456789abcdef", "event": "intent", "time": 5}',
]
NO_AMOUNTS = [
    json.dumps({"id": "x", "event": "settled", "time": "2026-11-02T10:00:00Z", **more})
    for more in AMOUNTS
]


@pytest.mark.parametrize("lines", [NO_RECORDS, NO_AMOUNTS], ids=["no records", "no amounts"])
def test_foreign_lines_are_passed_over(
    run: Run, endpoint: Endpoint, home: Path, config: Config, at: At, lines: list[str]
) -> None:
    config(f"{PRICES}budget.month = 0.005")
    endpoint(answer("x", usage={"cost": 0.001}))
    env = at(datetime(2026, 11, 20, tzinfo=UTC))
    path = home / ".local/state/llmcli/ledger/2026-11.jsonl"
    path.parent.mkdir(parents=True)
    (home / ".local/state/llmcli").chmod(0o700)
    text = "".join(f"{line}\n" for line in lines)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert run("ask", "--max-tokens", "10", "hi", env=env).returncode == 0
    assert run("ask", "--max-tokens", "1000", "hi", env=env).returncode == 84
    for form in ("--json", "--csv"):
        done = run("usage", "--since", "2026-11-01", "--until", "2026-11-30", form)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 1_000_000, "proof": ""},
        {"offset": 0, "proof": ""},
        {"open": {"a": 5}},
        {"sums": [[[], [0] * 7 + ["9", "9"]]]},
        {"sums": [[["2026-11-02", None, None, None, None, None], [0] * 7 + ["NaN", "0"]]]},
        "[" * 100_000,
    ],
)
def test_a_checkpoint_that_does_not_fit_is_made_anew(run: Run, home: Path, change: Any) -> None:
    path = home / ".local/state/llmcli/ledger/2026-11.jsonl"
    path.parent.mkdir(parents=True)
    (home / ".local/state/llmcli").chmod(0o700)
    record = {"id": "x", "event": "settled", "time": "2026-11-02T10:00:00Z", "cost_usd": 0.25}
    path.write_text((json.dumps(record) + "\n") * 2000)
    usage = ("usage", "--since", "2026-11", "--until", "2026-11", "--json")
    assert json.loads(run(*usage).stdout)["total"]["usd"] == 500
    checkpoint = path.with_suffix(".sums.json")
    kept = json.loads(checkpoint.read_text())
    checkpoint.write_text(change if isinstance(change, str) else json.dumps({**kept, **change}))
    assert json.loads(run(*usage).stdout)["total"]["usd"] == 500


@pytest.mark.parametrize(
    "options",
    [
        ("--since", "9999-12"),
        ("--until", "9999-12-31"),
        ("--since", "0001-01-01"),
        ("--until", ""),
        ("--since", "2026-12-31", "--until", "2026-01-01"),
    ],
)
def test_days_that_are_none(run: Run, options: tuple[str, ...]) -> None:
    done = run("usage", *options)
    assert done.returncode == 2
    one_line(done.stderr)


def test_absurd_numbers_of_tokens_are_unknown(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(PRICES)
    for count in (10**15, 10**400):
        endpoint(answer("x", usage={"prompt_tokens": count, "completion_tokens": 1}))
        about = json.loads(run("ask", "--json", "hi").stdout)["llmcli"]
        assert (about["cost_usd"], about["cost_source"]) == (None, None)
    total = json.loads(run("usage", "--json").stdout)["total"]
    assert total["requests"] == 2 and total["usd"] < 0.01


def test_a_list_that_cannot_be_kept_is_told(
    run: Run, endpoint: Callable[[Script], Server], env: dict[str, str]
) -> None:
    endpoint(lambda wire, _request: wire.json({"data": [{"id": "m"}]}))
    env["XDG_CACHE_HOME"] = "/proc/nothing"
    done = run("models", "--refresh")
    assert done.returncode == 0 and done.stdout
    assert "warning: the list is not kept: cannot write /proc/nothing/" in one_line(done.stderr)


def test_a_budget_without_a_ledger_is_told_by_its_setting(
    run: Run, endpoint: Callable[[Script], Server], config: Callable[[str], Path]
) -> None:
    endpoint(answer("x"))
    config("ledger = false\nbudget.day = 1.0\n")
    for command in (["config", "check"], ["ask", "--max-tokens", "5", "hi"]):
        done = run(*command)
        assert done.returncode == 78
        assert b"drop ledger = false" in done.stdout + done.stderr


def test_a_file_in_the_place_of_the_ledger(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    state = home / ".local/state/llmcli"
    state.parent.mkdir(parents=True)
    state.touch()
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"x\n")
    warning = f"warning: not recorded: {state} is no directory; remove it, or set XDG_STATE_HOME"
    assert warning in done.stderr.decode()

"""The sums of the ledger: over lines that are none, with a checkpoint that does not fit."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.money import PRICES, Config
from tests.support.program import At, Run, one_line

Endpoint = Callable[[Script], Server]


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

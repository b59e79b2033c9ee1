"""Read what 0.1 left in a home as it was read then: configuration, ledger, sessions, models."""

import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.completions import bash
from tests.support.conversations import assistant, kept, said, user
from tests.support.endpoint import Script, Server, answer
from tests.support.program import At, Run, one_line
from tests.support.version_0_1 import DATA, STATE, as_far_as, expected, move_in, stand_in

Endpoint = Callable[[Script], Server]

BOTH_MONTHS = ("--since", "2026-02", "--until", "2026-03")
LEDGER = f"{STATE}/ledger"
SESSIONS = expected("sessions")


@pytest.fixture(autouse=True)
def moved_in(home: Path) -> None:
    """Make the home that of somebody who had 0.1."""
    move_in(home)


@pytest.fixture
def reached(endpoint: Endpoint, env: dict[str, str]) -> Endpoint:
    """Start a scripted endpoint in the place of the one that config.toml names."""

    def start(script: Script) -> Server:
        server = endpoint(script)
        stand_in(env, server.base_url)
        return server

    return start


def printed(run: Run, *arguments: str, **options: Any) -> Any:
    """Run llmcli and read the JSON on its stdout."""
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("profile", ["daily", "office", "over there"])
def test_every_setting_has_its_value(run: Run, home: Path, profile: str) -> None:
    said_of_all = expected("config")
    chosen = () if profile == "daily" else ("--profile", profile)
    shown = run("config", "show", "--json", *chosen).stdout.decode()
    found = json.loads(shown.replace(str(home), "HOME"))
    assert as_far_as(said_of_all[profile], found) == said_of_all[profile]


def test_headers_and_key_reach_the_endpoint(run: Run, reached: Endpoint) -> None:
    server = reached(answer("x"))
    assert run("ask", "hello").stdout == b"x\n"
    headers = server.only.headers
    assert server.only.path == "http://models.example:8080/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-old-0123456789abcdef0123456789abcdef"
    assert headers["x-api-key"] == "a-header-that-is-a-secret-0123456789"
    assert headers["x-team"] == "red"
    assert headers["http-referer"] == "https://app.example/page"
    assert headers["x-title"] == "Compatible"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plain", ["hello"]),
        ("review", ["-t", "review", "-p", "language=Go"]),
        ("greet", ["-t", "greet", "-p", "word=hello", "Twice."]),
    ],
)
def test_settings_and_templates_make_the_same_request(
    run: Run, name: str, arguments: list[str]
) -> None:
    stdin = b"diff\n" if name == "review" else b""
    body = printed(run, "ask", "--dry-run", *arguments, input=stdin)
    assert body == expected("bodies")[name]


def test_templates_are_listed(run: Run) -> None:
    lines = run("template", "list").stdout.decode().splitlines()
    assert [line.split("\t") for line in lines] == expected("templates")


@pytest.mark.parametrize(
    ("by", "checkpoint"),
    [*((by, "as it was") for by in expected("usage")), ("day", "removed"), ("day", "torn")],
)
def test_usage_has_the_same_sums(run: Run, home: Path, by: str, checkpoint: str) -> None:
    path = home / LEDGER / "2026-03.sums.json"
    if checkpoint == "removed":
        path.unlink()
    elif checkpoint == "torn":
        path.write_bytes(path.read_bytes()[:5000])
    sums = expected("usage")[by]
    found = printed(run, "usage", "--json", *BOTH_MONTHS, "--by", by)
    assert as_far_as(sums, found) == sums


def test_a_month_goes_on_and_its_budget_holds(run: Run, reached: Endpoint, at: At) -> None:
    """Spend what is left on the 31st, which ends at 22:00 in UTC: of one tag next to nothing."""
    server = reached(answer("x", usage={"cost": 0.01}))

    def ask(hour: int, tag: str) -> int:
        moment = datetime(2026, 3, 31, hour, 30, tzinfo=UTC)
        return run("ask", "--tag", tag, "x", env=at(moment)).returncode

    assert ask(21, "nightly") == 84
    assert server.requests == []
    assert ask(21, "other") == 0
    assert ask(22, "nightly") == 0
    rows = printed(run, "usage", "--json", "--since", "2026-02", "--until", "2026-04")["total"]
    before = expected("usage")["day"]["total"]
    assert rows["requests"] == before["requests"] + 2
    assert rows["usd"] == pytest.approx(before["usd"] + 0.02, abs=1e-12)
    assert rows["unsettled"] == before["unsettled"]


def test_sessions_are_listed_in_their_order(run: Run, home: Path) -> None:
    for row in SESSIONS["list"]:
        used = datetime.fromisoformat(row["time"]).timestamp()
        os.utime(home / STATE / "sessions" / f"{row['name']}.jsonl", (used, used))
    listed = printed(run, "session", "list", "--json")
    assert as_far_as(SESSIONS["list"], listed) == SESSIONS["list"]


@pytest.mark.parametrize("name", SESSIONS["sessions"])
def test_a_session_is_shown_and_exported(run: Run, home: Path, name: str) -> None:
    told = SESSIONS["sessions"][name]
    assert run("session", "show", name).stdout.decode() == told["shown"]
    assert printed(run, "session", "show", name, "--json")["turns"] == kept(home, name)
    assert printed(run, "session", "export", name) == told["exported"]


CALLS_ANSWERED = ["--tool-result", "c1=20 degrees", "--tool-result", "c2=noon"]


@pytest.mark.parametrize("row", SESSIONS["list"], ids=lambda row: row["name"])
def test_a_session_goes_on(run: Run, reached: Endpoint, home: Path, row: dict[str, Any]) -> None:
    """Send all that was whole, to the model it was with."""
    server, name = reached(answer("A")), row["name"]
    turns = kept(home, name)
    results = CALLS_ANSWERED if name == "open@call" else []
    assert run("ask", "--session", name, *results, "Q").returncode == 0
    own = [*tool_results(results), user("Q")]
    assert said(server) == [*SESSIONS["sessions"][name]["exported"], *own]
    assert server.only.json["model"] == row["model"]
    *before, new = kept(home, name)
    assert before == turns
    assert new["messages"] == [*own, assistant("A")]


def tool_results(options: list[str]) -> list[dict[str, str]]:
    """Make the messages of `--tool-result` options."""
    pairs = [pair.split("=") for pair in options[1::2]]
    return [{"role": "tool", "tool_call_id": one, "content": text} for one, text in pairs]


def test_a_torn_turn_is_taken_away(run: Run, reached: Endpoint, home: Path) -> None:
    server = reached(answer("A"))
    path = home / STATE / "sessions/trip.jsonl"
    path.write_bytes(path.read_bytes()[:-50])
    assert run("ask", "--session", "trip", "Q").returncode == 0
    assert said(server) == [*SESSIONS["sessions"]["trip"]["exported"][:-2], user("Q")]
    assert len(kept(home, "trip")) == 3


@pytest.mark.parametrize("known", [False, True], ids=["the last of all", "that of the terminal"])
def test_the_last_session_goes_on(run: Run, reached: Endpoint, home: Path, known: bool) -> None:
    """Let the process that leads the terminal of the tests stand for that of then."""
    server = reached(answer("A"))
    if known:
        folder = home / STATE / "last-session"
        (folder / "of-a-terminal").rename(folder / str(os.getsid(0)))
    assert run("ask", "-c", "Q").returncode == 0
    name = "oslo" if known else "trip"
    assert said(server) == [*SESSIONS["sessions"][name]["exported"], user("Q")]


def test_conversations_in_files_of_ones_own_go_on(
    run: Run, reached: Endpoint, tmp_path: Path
) -> None:
    server = reached(answer("A"))
    for name in ("talk.jsonl", "saved.json"):
        (tmp_path / name).write_bytes((DATA / "files" / name).read_bytes())
    assert run("ask", "--session", "./talk.jsonl", "Q").returncode == 0
    asked = [user("Where do paths lead?"), user("And this one?"), user("Q")]
    assert said(server)[1::2] == asked
    assert run("ask", "--messages", "saved.json", "Q").returncode == 0
    assert said(server) == [*SESSIONS["sessions"]["trip"]["exported"], user("Q")]


def test_the_models_are_listed_without_a_request(run: Run, reached: Endpoint, home: Path) -> None:
    server = reached(answer("x"))
    path = home / ".cache/llmcli/models/models.example_8080.json"
    text, count = re.subn(r'"time": [\d.]+', f'"time": {time.time()}', path.read_text())
    assert count == 1
    path.write_text(text)
    listed = printed(run, "models", "--json")["models"]
    assert as_far_as(expected("models"), listed) == expected("models")
    assert server.requests == []


def test_an_old_list_is_better_than_none(run: Run, reached: Endpoint) -> None:
    reached(lambda wire, _: wire.reset())
    done = run("models", "--json")
    assert re.search(r"; models as listed \d+ days ago", one_line(done.stderr))
    assert as_far_as(expected("models"), json.loads(done.stdout)["models"]) == expected("models")


USED = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 50},
}


@pytest.mark.parametrize(
    ("model", "usd"),
    [("vendor/big-4.6", 0.0043675), ("vendor/big-4-6", 0.0043675), ("vendor/priced", 0.0011725)],
    ids=["of the list", "of the list, spelled otherwise", "of config.toml"],
)
def test_prices_make_a_cost(run: Run, reached: Endpoint, model: str, usd: float) -> None:
    reached(answer("x", usage=USED))
    told = printed(run, "ask", "-m", model, "--json", "hi")["llmcli"]
    assert (told["cost_usd"], told["cost_source"]) == (usd, "estimated")


def test_completions_offer_its_names(home: Path) -> None:
    places = {"HOME": str(home), "PATH": "/nonexistent", "LANG": "C.UTF-8"}
    assert bash(places, "llmcli ask -m vendor/") >= {"vendor/big-4.6", "vendor/small"}
    assert bash(places, "llmcli ask -t ") == {"review", "greet"}
    assert bash(places, "llmcli ask --session t") == {"think", "trip"}
    assert bash(places, "llmcli ask --profile o") >= {"office"}

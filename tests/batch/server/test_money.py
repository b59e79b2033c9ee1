"""What batches cost: checked before they are sent, counted while they run, and only once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import Batches, answered, completes
from tests.support.endpoint import Request, Wire
from tests.support.internet import Internet
from tests.support.money import PRICED, Config, records
from tests.support.program import At, Run

RECORDS = b"one\ntwo\nthree\n"
SENT = ("--batch", "--max-tokens", "100", "-O", "out")


@pytest.mark.parametrize("limit", ["--max-cost", "budget"])
def test_a_batch_that_might_cost_too_much_is_not_sent(
    run: Run, batches: Batches, config: Config, home: Path, tmp_path: Path, limit: str
) -> None:
    """Three requests, each of which alone would fit."""
    config(PRICED + ("\nbudget.day = 0.001" if limit == "budget" else ""))
    option = ["--max-cost", "0.001"] if limit == "--max-cost" else []
    done = run("map", *SENT, *option, "{}", input=RECORDS)
    assert done.returncode == 84, done.stderr.decode()
    assert batches.log == [] and not records(home, "intent")
    assert not (tmp_path / "out.progress").exists() or not (tmp_path / "out.progress").read_bytes()
    config(PRICED)
    assert run("map", *SENT, "{}", input=RECORDS).returncode == 0


def test_a_bound_that_is_not_known_is_refused(run: Run, batches: Batches, config: Config) -> None:
    done = run("map", *SENT, "--max-cost", "1", "{}", input=RECORDS)
    assert done.returncode == 84 and b"price of m is not known" in done.stderr
    config(PRICED)
    done = run("map", "--batch", "-O", "out", "--max-cost", "1", "{}", input=RECORDS)
    assert done.returncode == 84 and b"--max-tokens" in done.stderr
    assert batches.log == []


def test_a_batch_counts_until_it_is_settled(
    run: Run, batches: Batches, config: Config, home: Path
) -> None:
    config(PRICED + "\nbudget.day = 0.002")
    batches.advance = lambda *_: None
    assert run("map", "--detach", *SENT, "{}", input=RECORDS).returncode == 0
    bounds = [record["estimate_usd"] for record in records(home, "intent")]
    assert len(bounds) == 3 and 0.001 < sum(bounds) < 0.002
    # Another one would be too much beside it.
    assert run("map", *SENT[:-1], "other", "{}", input=RECORDS).returncode == 84
    batches.advance = completes(1)
    assert run("map", *SENT, "--resume", "{}", input=RECORDS).returncode == 0
    assert run("map", *SENT[:-1], "other", "{}", input=RECORDS).returncode == 0


def test_each_record_stands_in_the_ledger(
    run: Run, batches: Batches, config: Config, home: Path
) -> None:
    config(PRICED)
    done = run("map", *SENT, "--tag", "t", "{}", input=RECORDS)
    assert done.returncode == 0 and b"300 in, 30 out, $0.0003" in done.stderr
    settled = records(home)
    assert {(r["command"], r["tag"], r["exit"], r["cost_usd"]) for r in settled} == {
        ("batch", "t", "ok", 120e-6)
    }
    told = json.loads(run("usage", "--by", "command", "--json").stdout)
    assert "batch" in json.dumps(told)


def test_it_counts_on_the_day_it_was_sent(
    run: Run, batches: Batches, config: Config, home: Path, at: At
) -> None:
    config(PRICED)
    before = at(datetime.now(UTC) - timedelta(days=3))
    assert run("map", "--detach", *SENT, "{}", input=RECORDS, env=before).returncode == 0
    assert run("map", *SENT, "--resume", "{}", input=RECORDS).returncode == 0
    days = {record["time"][:10] for record in records(home)}
    assert days == {(datetime.now(UTC) - timedelta(days=3)).date().isoformat()}


def test_a_cancelled_batch_counts_no_more(
    run: Run, batches: Batches, config: Config, home: Path, tmp_path: Path
) -> None:
    config(PRICED)
    batches.advance = lambda *_: None
    assert run("map", "--detach", *SENT, "{}", input=RECORDS).returncode == 0
    done = run("map", "--cancel", "-O", "out")
    assert done.returncode == 0, done.stderr.decode()
    assert b"cancelled; 0 of 3" in done.stderr
    assert [record["cost_usd"] for record in records(home)] == [0, 0, 0]
    # The run is over: it can be begun anew, or gone on with.
    batches.advance = completes(1)
    assert run("map", *SENT, "--restart", "{}", input=RECORDS).returncode == 0
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()


def test_what_was_answered_before_the_end_is_paid_once(
    run: Run, batches: Batches, config: Config, home: Path, tmp_path: Path
) -> None:
    def cancel(batch: dict[str, Any]) -> None:
        batches.end(batch, [answered(batches.requests_of(batch)[1])], status="cancelled")

    config(PRICED)
    batches.advance = lambda *_: None
    assert run("map", "--detach", *SENT, "{}", input=RECORDS).returncode == 0
    batches.cancel = cancel  # type: ignore[method-assign]
    assert run("map", "--cancel", "-O", "out").returncode == 0
    assert run("map", "--cancel", "-O", "out").returncode == 0
    assert run("map", *SENT, "--resume", "{}", input=RECORDS).returncode == 3
    assert (tmp_path / "out").read_bytes() == b"\nTWO\n\n"
    assert sorted(record["cost_usd"] for record in records(home)) == [0, 0, 120e-6]
    batches.advance = completes(1)
    assert run("map", *SENT, "--resume", "{}", input=RECORDS).returncode == 0
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()
    assert sum(bool(record["cost_usd"]) for record in records(home)) == 3


def test_nothing_to_cancel(run: Run, batches: Batches) -> None:
    done = run("map", "--cancel", "-O", "out")
    assert done.returncode == 73 and b"has no batch" in done.stderr


def test_another_endpoint_is_not_asked(run: Run, batches: Batches, env: dict[str, str]) -> None:
    assert run("map", "--detach", *SENT, "{}", input=RECORDS).returncode == 0
    env["LLMCLI_BASE_URL"] += "/other"
    for more in (("--cancel",), ("--resume", "{}")):
        done = run("map", "-O", "out", *more, input=RECORDS)
        assert done.returncode == 73 and b"was sent to" in done.stderr


@pytest.mark.parametrize("options", [(), ("--restart",), ("--retry-failed",)])
def test_a_batch_is_not_lost(run: Run, batches: Batches, options: tuple[str, ...]) -> None:
    assert run("map", "--detach", *SENT, "{}", input=RECORDS).returncode == 0
    done = run("map", "-O", "out", *options, "{}", input=RECORDS)
    assert done.returncode == 73 and b"--cancel" in done.stderr


def test_no_ledger(run: Run, batches: Batches, config: Config, home: Path) -> None:
    config(PRICED)
    assert run("map", *SENT, "--no-ledger", "{}", input=RECORDS).returncode == 0
    assert not records(home, "intent") and not records(home)


PROVIDERS = {
    "openai": ("OPENAI_API_KEY", "https://api.openai.com", 0.5, "/v1/chat/completions"),
    "groq": ("GROQ_API_KEY", "https://api.groq.com", 0.75, "/v1/chat/completions"),
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_half_the_price_where_the_table_says_so(
    run: Run, world: Internet, env: dict[str, str], config: Config, home: Path, name: str
) -> None:
    variable, origin, share, path = PROVIDERS[name]
    server = Batches(advance=completes(1))

    def script(wire: Wire, request: Request) -> None:
        server(wire, request)

    world.script = script
    env[variable] = "sk-half"
    config(PRICED)
    options = ("--profile", name, "-m", "m", *SENT)
    done = run("map", *options, "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    assert {one for one, _ in world.received} == {origin}
    [batch] = server.batches.values()
    assert batch["endpoint"] == path
    assert [record["cost_usd"] for record in records(home)] == pytest.approx([120e-6 * share] * 3)
    full = [record["estimate_usd"] for record in records(home, "intent")]
    said = run("map", "--dry-run", "--json", *options[:-2], "{}", input=RECORDS)
    told = json.loads(said.stdout)
    assert told["batch_cost_usd_at_most"] == pytest.approx(sum(full))
    assert told["cost_usd_at_most"] == pytest.approx(sum(full) / share)


def test_a_dry_run_says_both(run: Run, batches: Batches, config: Config) -> None:
    config(PRICED)
    done = run("map", "--dry-run", *SENT, "{}", input=RECORDS)
    assert done.returncode == 0 and b"as a batch at most $" in done.stdout
    assert batches.log == []

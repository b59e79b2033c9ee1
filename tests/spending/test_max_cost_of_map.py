"""What `map` may spend holds for all of its requests together."""

import json
from pathlib import Path

from tests.support.echo import Echo, lines, rows
from tests.support.money import Config
from tests.support.program import Run, one_line


def test_max_cost_is_never_exceeded(run: Run, echo: Echo, config: Config) -> None:
    """What is in flight counts at its bound; what it did not need is there for the others."""
    config("prices.m = { prompt = 0.0, completion = 1000.0 }")
    echo.wait = 0.01
    done = run("map", "-j", "4", "--max-tokens", "10", "--max-cost", "0.1", "{}", input=lines(200))
    assert done.returncode == 84, done.stderr
    assert "--max-cost $0.10" in one_line(done.stderr)
    spent = json.loads(run("usage", "--json").stdout)
    answers = [line for line in done.stdout.splitlines() if line]
    assert 0 < len(answers) == len(echo.bodies) < 200
    assert spent["total"]["usd"] <= 0.1


def test_a_request_of_a_batch_costs_what_its_own_model_does(
    run: Run, echo: Echo, config: Config, tmp_path: Path
) -> None:
    config(
        "[prices]\ncheap = { prompt = 1, completion = 1 }\n"
        "dear = { prompt = 1e6, completion = 1e6 }"
    )
    body = {"model": "dear", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    (tmp_path / "b").write_text(json.dumps({"custom_id": "a", "body": body}) + "\n")
    done = run("map", "-m", "cheap", "--max-cost", "0.01", "--requests", "b")
    assert done.returncode == 84, done.stderr
    assert not echo.bodies
    run("map", "-m", "cheap", "--requests", "b")
    assert "dear" in run("usage", "--by", "model").stdout.decode()


def test_a_request_of_a_batch_without_a_bound_fails_alone(
    run: Run, echo: Echo, config: Config, tmp_path: Path
) -> None:
    config("prices.m = { prompt = 1.0, completion = 1.0 }")
    said = [{"role": "user", "content": "hi"}]
    bodies = [{"messages": said}, {"messages": said, "max_tokens": 5}, {"messages": said}]
    batch = [{"custom_id": f"c{n}", "body": body} for n, body in enumerate(bodies)]
    (tmp_path / "b").write_text("".join(json.dumps(line) + "\n" for line in batch))
    done = run("map", "--requests", "b", "--max-cost", "1")
    assert done.returncode == 3, done.stderr
    assert [row["error"] is None for row in rows(done.stdout)] == [False, True, False]
    assert len(echo.bodies) == 1


def test_the_cost_of_a_cut_answer_is_unknown_not_nothing(
    run: Run, echo: Echo, config: Config, tmp_path: Path
) -> None:
    config("prices.m = { prompt = 100.0, completion = 200.0 }")

    def cut(handler: object, _text: str, _number: int) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: {}")  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]
        return True

    echo.fault = cut
    done = run("map", "--retries", "0", "{}", input=lines(1))
    assert done.returncode == 3
    assert "tokens unknown, cost unknown" in one_line(done.stderr)
    limits = ("--max-tokens", "5", "--max-cost", "0.02", "-j", "1", "--retries", "1")
    done = run("map", *limits, "--json", "{}", input=lines(1))
    assert [len(row["llmcli"]["attempts"]) for row in rows(done.stdout)] == [len(echo.bodies) - 1]
    assert "not sent" not in json.dumps(rows(done.stdout)[0]["llmcli"]["attempts"])


def test_budgets_hold_for_many_threads(run: Run, echo: Echo, config: Config) -> None:
    config("budget.day = 1000.0\nprices.m = { prompt = 1.0, completion = 1.0 }")
    done = run("map", "-j", "64", "--max-tokens", "5", "{}", input=lines(150))
    assert done.returncode == 0, done.stderr


def test_the_first_run_of_a_ledger_counts_what_was_spent(
    run: Run, echo: Echo, config: Config
) -> None:
    """A record may cost a cent, of which an answer takes an eighth: five are within two cents."""
    config("budget.day = 0.019\nprices.m = { prompt = 0.0, completion = 100.0 }")
    done = run("map", "-j", "1", "--max-tokens", "100", "{}", input=lines(5))
    assert done.returncode == 0, done.stderr

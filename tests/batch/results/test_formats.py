"""The forms in which answers and failures are written: text, and lines of JSON."""

from tests.support.echo import Echo, lines, rows
from tests.support.money import Config
from tests.support.program import Run, one_line


def test_json_is_the_object_of_ask(run: Run, echo: Echo) -> None:
    asked = rows(run("ask", "--json", "x").stdout)[0]
    (row,) = rows(run("map", "--json", input=b"x\n").stdout)
    assert list(row)[:4] == ["key", "index", "input", "ok"]
    assert (row["index"], row["input"], row["ok"]) == (0, "x", True)
    assert set(row) == {*asked, "key", "index", "input", "ok"}
    assert set(row["llmcli"]) == set(asked["llmcli"])
    assert row["choices"] == asked["choices"]


def test_a_failed_record_is_an_empty_line(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r3" and handler.refuse(400)
    done = run("map", "{}", input=lines(10))
    assert done.returncode == 3
    shown = done.stdout.decode().split("\n")[:-1]
    assert shown == [f"answer to r{n}" if n != 3 else "" for n in range(10)]
    line = one_line(done.stderr)
    assert "map: 9 of 10 done, 1 failed (1 bad-request)" in line
    assert "record 3: HTTP 400: refused 400" in line


def test_failures_in_json(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r3" and handler.refuse(400)
    found = rows(run("map", "--json", "{}", input=lines(10)).stdout)
    assert [row["index"] for row in found] == list(range(10))
    bad = found[3]
    assert not bad["ok"] and bad["error"]["code"] == 400
    assert (bad["llmcli"]["exit_code"], bad["llmcli"]["kind"]) == (65, "bad-request")


def test_records_that_were_not_asked_leave_their_line_empty(
    run: Run, echo: Echo, config: Config
) -> None:
    config("prices.m = { prompt = 0.0, completion = 1000.0 }")
    done = run("map", "-j", "8", "--max-tokens", "10", "--max-cost", "0.1", "{}", input=lines(200))
    assert done.returncode == 84
    for number, line in enumerate(done.stdout.decode().splitlines()):
        assert line in ("", f"answer to r{number}")

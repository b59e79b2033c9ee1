"""The forms in which answers and failures are written: text, and lines of JSON."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.echo import Echo, lines, rows
from tests.support.money import Config
from tests.support.program import Run, one_line


def test_json_is_the_object_of_ask(run: Run, echo: Echo) -> None:
    asked = rows(run("ask", "--json", "x").stdout)[0]
    (row,) = rows(run("map", "--json", input=b"x\n").stdout)
    assert list(row)[:5] == ["key", "index", "input", "ok", "text"]
    assert row["text"] == "answer to x"
    assert (row["index"], row["input"], row["ok"]) == (0, "x", True)
    assert set(row) == {*asked, "key", "index", "input", "ok", "text"}
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
    assert not bad["ok"] and bad["text"] is None and bad["error"]["code"] == 400
    assert (bad["llmcli"]["exit_code"], bad["llmcli"]["kind"]) == (65, "bad-request")


def test_records_that_were_not_asked_leave_their_line_empty(
    run: Run, echo: Echo, config: Config
) -> None:
    config("prices.m = { prompt = 0.0, completion = 1000.0 }")
    done = run("map", "-j", "8", "--max-tokens", "10", "--max-cost", "0.1", "{}", input=lines(200))
    assert done.returncode == 84
    for number, line in enumerate(done.stdout.decode().splitlines()):
        assert line in ("", f"answer to r{number}")


def table(output: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(output.decode(), newline="")))


@pytest.mark.parametrize("to_file", [False, True])
def test_csv_has_the_columns_of_the_input(
    run: Run, echo: Echo, tmp_path: Path, to_file: bool
) -> None:
    echo.reply = lambda text: f'"{text}",\nyes'
    echo.fault = lambda handler, text, _n: text == "Bob" and handler.refuse(400)
    options = ["-O", "out.csv"] if to_file else []
    done = run("map", "--csv", *options, "{name}", input=b'name,note\nAnn,"a,b"\nBob,\n')
    assert done.returncode == 3
    found = table((tmp_path / "out.csv").read_bytes() if to_file else done.stdout)
    assert found[0] == ["name", "note", "answer", "ok", "error", "cost_usd"]
    assert found[1] == ["Ann", "a,b", '"Ann",\nyes', "true", "", "0.00123"]
    assert found[2][:4] == ["Bob", "", "", "false"] and "refused 400" in found[2][4]
    if to_file:
        again = run("map", "--csv", *options, "--resume", "{name}", input=b'name,note\nAnn,"a,b"\n')
        assert again.returncode == 0 and b"1 done before" in again.stderr
        assert table((tmp_path / "out.csv").read_bytes()) == found[:2]


def test_csv_has_a_column_for_each_property(run: Run, echo: Echo) -> None:
    echo.reply = lambda _: '{"city": "Rome", "n": [1, 2]}'
    schema = json.dumps({"properties": {"city": {}, "n": {}, "x": {}}})
    done = run("map", "--csv", "--schema", schema, "Where is {}", input=b"line\n")
    assert table(done.stdout)[:2] == [
        ["input", "city", "n", "x", "ok", "error", "cost_usd"],
        ["line", "Rome", "[1, 2]", "", "true", "", "0.00123"],
    ]


@pytest.mark.parametrize("options", [["--csv"], ["--csv", "--schema", '{"properties": {"a": {}}}']])
def test_a_column_of_the_input_is_not_hidden(run: Run, echo: Echo, options: list[str]) -> None:
    done = run("map", *options, "{a}", input=b"a,ok\n1,2\n")
    assert done.returncode == 2 and "--csv adds a column" in one_line(done.stderr)
    assert not echo.bodies


def test_answers_of_several_lines_are_told_or_written_in_one(run: Run, echo: Echo) -> None:
    echo.reply = lambda text: f"{text}\r\nb\\n\n"
    done = run("map", "{}", input=b"a\nc\n")
    assert b"2 answers have several lines; --json keeps them apart" in done.stderr
    done = run("map", "--one-line", "{}", input=b"a\nc\n")
    assert done.stdout.decode() == "a\\nb\\\\n\nc\\nb\\\\n\n"
    assert b"several lines" not in done.stderr
    assert run("map", "--one-line", "--json", "{}", input=b"a\n").returncode == 2

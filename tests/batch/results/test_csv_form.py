"""--csv keeps every column of the input, whatever its name, and what can be read of a bad row."""

import csv
import io
from pathlib import Path

import pytest

from tests.support.echo import Echo, asked, rows
from tests.support.program import Run, one_line

ADDED = ["answer", "ok", "error", "cost_usd"]


def table(output: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(output.decode(), newline="")))


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b",a,b", ["", "a", "b"]),  # as pandas writes its index
        (b",,a", ["", "", "a"]),
        (b"a,,", ["a", "", ""]),
        (b"a, ,\t", ["a", "", ""]),
        (b'"",a,"column 3"', ["", "a", "column 3"]),
        (b'a,"",column 2', ["a", "", "column 2"]),
        (b",,a,", ["", "", "a", ""]),
        (b"\xef\xbb\xbf,a,b", ["", "a", "b"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfa,b,", ["a", "b", ""]),
    ],
)
@pytest.mark.parametrize("to_file", [False, True])
def test_a_column_without_a_name_is_kept(
    run: Run, echo: Echo, tmp_path: Path, header: bytes, names: list[str], to_file: bool
) -> None:
    cells = [f"x{n}" for n in range(len(names))]
    data = header + b"\n" + ",".join(cells).encode() + b"\n"
    options = ["-O", "out.csv"] if to_file else []
    done = run("map", "--csv", *options, "{a}", input=data)
    assert done.returncode == 0, done.stderr
    head, row = table((tmp_path / "out.csv").read_bytes() if to_file else done.stdout)
    assert head == names + ADDED
    assert row[: len(cells)] == cells
    assert asked(echo) == [cells[names.index("a")]]
    (whole,) = rows(run("map", "--json", "{a}", input=data).stdout)
    assert list(whole["input"].values()) == cells


def test_empty_columns_behind_the_last_stay_and_are_no_noise(run: Run, echo: Echo) -> None:
    data = b"a,,,\n1,,,\n"
    assert table(run("map", "--csv", "{a}", input=data).stdout)[1][:5] == [
        "1",
        "",
        "",
        "",
        "answer to 1",
    ]
    (row,) = rows(run("map", "--json", "{a}", input=data).stdout)
    assert row["input"] == {"a": "1", "": ""}


@pytest.mark.parametrize("blank", [b",\n", b" , \n", b"\xef\xbb\xbf\t,  \r\n\n"])
def test_rows_of_blanks_above_the_header_are_skipped(run: Run, echo: Echo, blank: bytes) -> None:
    done = run("map", "--csv", "{b}", input=blank + b"a,b\n1,2\n")
    assert table(done.stdout)[0] == ["a", "b", *ADDED], done.stderr


@pytest.mark.parametrize("header", [b"a,b,a", b"\xef\xbb\xbfa,a", b"a,\xef\xbb\xbf a"])
def test_a_name_that_stands_twice_costs_nothing(run: Run, echo: Echo, header: bytes) -> None:
    for prompt in ("{a}", "{a} {b c}"):
        done = run("map", "--csv", prompt, input=header + b"\n1,2,3\n")
        assert done.returncode == 2 and "names a column twice" in one_line(done.stderr)
    assert not echo.bodies


@pytest.mark.parametrize("first", [b"yes, yes, no", b'He said "hi, there', b'"open, "x" y'])
def test_lines_that_are_no_table_are_lines(run: Run, echo: Echo, first: bytes) -> None:
    done = run("map", 'As {"a": 1}: {}', input=first + b"\nsecond\n")
    assert done.returncode == 0, done.stderr
    assert asked(echo) == sorted([f'As {{"a": 1}}: {first.decode()}', 'As {"a": 1}: second'])


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (b"1,x,9,8", ["1", "x"]),
        (b"1", ["1", ""]),
        (b'1,"open', ["1", '"open']),
        (b'"open,2', ['"open,2', ""]),
        (b'1,"a"b', ["1", '"a"b']),
        (b'1,2,"open', ["1", "2"]),
        (b"1,\xff", ["1", "\ufffd"]),
    ],
)
def test_what_can_be_read_of_a_bad_row_is_kept(
    run: Run, echo: Echo, row: bytes, kept: list[str]
) -> None:
    data = b"a,b\n" + row + b"\n7,8\n"
    done = run("map", "--csv", "{b}", input=data)
    _head, bad, good = table(done.stdout)
    assert bad[:2] == kept and bad[2:4] == ["", "false"] and bad[4] and not bad[5]
    assert good[:4] == ["7", "8", "answer to 8", "true"]
    assert done.returncode == 3
    found = rows(run("map", "--json", "{b}", input=data).stdout)
    assert [found[0]["input"].get(name, "") for name in "ab"] == kept


def test_cells_without_a_column_stand_in_json(run: Run, echo: Echo) -> None:
    (row,) = rows(run("map", "--json", "{a}", input=b"a,column 3\n1,x,y,z\n").stdout)
    assert row["input"] == {"a": "1", "column 3": "x", "column 3_": "y", "column 4": "z"}


def test_json_lines_that_are_not_like_the_first(run: Run, echo: Echo) -> None:
    data = b'{"a": 1, "": 2}\n[3]\n{"a": 4, "new": 5, "other": 6}\noops\n'
    done = run("map", "--csv", "--format", "jsonl", "{}", input=data)
    found = table(done.stdout)
    assert [row[:2] for row in found] == [
        ["a", ""],
        ["1", "2"],
        ["[3]", ""],
        ["4", ""],
        ["oops", ""],
    ]
    assert b"the first record has no key new, other" in done.stderr
    done = run("map", "--csv", "--format", "jsonl", "{}", input=b"[1]\n[2]\n")
    assert [row[0] for row in table(done.stdout)] == ["input", "[1]", "[2]"]

"""Rows of a CSV table are records, with a field for each column."""

import csv
import io
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcli.batch.input.csv_rows import rows as read
from llmcli.batch.input.source import Source
from tests.support.echo import Echo, asked, prompt_of, rows
from tests.support.program import Run, one_line


def test_csv_with_a_header(run: Run, echo: Echo) -> None:
    table = '\ufeffname,note\r\nAnn,"says ""hi"",\nthen leaves"\nBob,\n'.encode()
    done = run("map", "--json", "{name}: {note}", input=table)
    assert done.returncode == 0, done.stderr
    assert asked(echo) == ['Ann: says "hi",\nthen leaves', "Bob: "]
    assert rows(done.stdout)[1]["input"] == {"name": "Bob", "note": ""}


def test_a_column_that_is_not_there_costs_nothing(run: Run, echo: Echo) -> None:
    done = run("map", "{nane}", input=b"name,note\na,b\n")
    assert done.returncode == 2
    assert "the input has no column nane; its columns are: name, note" in one_line(done.stderr)
    assert not echo.bodies


def test_a_csv_row_with_too_few_columns_is_its_own_error(run: Run, echo: Echo) -> None:
    done = run("map", "--json", "{a}{b}", input=b"a,b\n1\n2,3\n4,5,6\n")
    assert [row["ok"] for row in rows(done.stdout)] == [False, True, False]


def test_rows_with_other_cells_than_columns(run: Run, echo: Echo) -> None:
    done = run("map", "--json", "--format", "csv", "X {a}",
               input=b"\na,b,,\nx,y,,\n1\r2,3,,\n4,5,,\n")  # fmt: skip
    # A CR ends a row as well.
    assert [row["ok"] for row in rows(done.stdout)] == [True, False, True, True]
    assert done.returncode == 3
    long = b"a,b\n" + b"x" * 2000 + b",1\n2,3\n"
    done = run("map", "--json", "--max-input", "1k", "X {a}", input=long)
    assert [row["ok"] for row in rows(done.stdout)] == [False, True]


def test_a_quote_that_never_ends_takes_no_more_than_allowed(run: Run, echo: Echo) -> None:
    table = b'a\n"oops\n' + b"x\n" * 560
    done = run("map", "--max-input", "1k", "X {a}", input=table)
    assert done.returncode == 3
    assert max(len(prompt_of(body)) for body in echo.bodies) < 1100


CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
TROUBLE = st.text(st.sampled_from(list('",;\r\n a\t')), max_size=6)


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(CELLS | TROUBLE, min_size=width, max_size=width))
    ),
    st.sampled_from([",", ";", "\t", "§"]),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 9),
    st.booleans(),
)
def test_what_python_writes_is_read_back(
    table: list[list[str]], delimiter: str, end: str, quoting: Any, size: int, mark: bool
) -> None:
    """The same cells, at any cut of the stream."""
    out = io.StringIO(newline="")
    # By itself it quotes no other line end than its own, which no reader could tell.
    odd = "\r" in "".join(map("".join, table)) or "\n" in "".join(map("".join, table))
    writer = csv.writer(
        out,
        delimiter=delimiter,
        lineterminator=end,
        quoting=csv.QUOTE_ALL if odd and end != "\r\n" else quoting,
    )
    names = ["a", "b", "c"][: len(table[0]) if table else 1]
    writer.writerows([names, *table])
    data = (b"\xef\xbb\xbf" if mark else b"") + out.getvalue().encode()
    blocks = [data[n : n + size] for n in range(0, len(data), size)]
    with patch("os.read", lambda _descriptor, _size: blocks.pop(0) if blocks else b""):
        found = [record.value for record in read(Source(0, "stdin", 1 << 20, "1M"), delimiter)]
    assert found == [dict(zip(names, row, strict=True)) for row in table]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("row", [b'"open,1', b'"a"b,1', b'"a" ,1', b'x,"'])
def test_a_quote_that_nobody_closed_spoils_its_record_only(
    run: Run, echo: Echo, end: bytes, row: bytes
) -> None:
    table = end.join([b"name,n", b'"two', b'lines",0', row, b"Bob,2", b"Cy,3", b""])
    done = run("map", "--json", "{name}", input=table)
    found = rows(done.stdout)
    assert done.returncode == 3 and [r["ok"] for r in found] == [True, False, True, True]
    assert found[1]["error"]["message"].startswith("line 4: a quoted cell begins")
    assert sorted(asked(echo))[:2] == ["Bob", "Cy"]


def test_a_cell_in_quotes_of_more_than_a_mebibyte_is_taken_for_an_error(
    run: Run, echo: Echo
) -> None:
    table = b'a,b\n"' + b"x" * (1 << 20) + b'",1\n"' + b"y" * (1 << 20) + b'z",1\nBob,2\n'
    done = run("map", "--json", "{b}", input=table)
    assert [row["ok"] for row in rows(done.stdout)] == [True, False, True]


@pytest.mark.parametrize(
    ("prompt", "table", "expected"),
    [
        ("{A B} at {C (D)}", b"A B,C (D)\nPen,2\n", "Pen at 2"),
        ("{2024} of {stdin}", b"2024,x\n7,8\n", '7 of {"2024": "7", "x": "8"}'),
        ("{a: b}", b"a: b,c\n1,2\n", "1"),
        ('{x} {{y z}} {"k": 1}', b"x\n1\n", '1 {y z} {"k": 1}'),
        ("{a.b}", b"a.b\n1\n", "1"),
        ("\\d{3} of {}", b"x\n", "\\d{3} of x"),
    ],
)  # fmt: skip
def test_braces_that_are_columns(
    run: Run, echo: Echo, prompt: str, table: bytes, expected: str
) -> None:
    assert run("map", prompt, input=table).returncode == 0
    assert asked(echo) == [expected]


@pytest.mark.parametrize(
    ("options", "prompt", "table", "says"),
    [
        ([], "{name} {Unit Prise}", b"name,Unit Price\na,b\n", "no column Unit Prise"),
        (["--format", "csv"], "{Nme x}", b"name\na\n", "no column Nme x; its columns are: name"),
        ([], "{name}", b"name;note\na;b\n", "--delimiter ';' parts them"),
        ([], "{name}", b"name\tnote\na\tb\n", "--delimiter '\\t' parts them"),
        (["--delimiter", ";"], "{nme}", b"name;note\na;b\n", "no column nme"),
    ],
)
def test_a_name_that_is_no_column_costs_nothing(
    run: Run, echo: Echo, options: list[str], prompt: str, table: bytes, says: str
) -> None:
    done = run("map", *options, prompt, input=table)
    assert done.returncode == 2 and says in one_line(done.stderr), done.stderr
    assert not echo.bodies


def test_a_tab_may_be_written_as_an_escape(run: Run, echo: Echo) -> None:
    assert run("map", "--delimiter", "\\t", "{b}", input=b"a\tb\n1\t2,3\n").returncode == 0
    assert asked(echo) == ["2,3"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("prompt", ["{name}", "{}"])
def test_wide_encodings_are_named(run: Run, echo: Echo, encoding: str, prompt: str) -> None:
    done = run("map", prompt, input="name,note\nAnn,hi\n".encode(encoding))
    assert done.returncode == 65
    assert f"stdin is {encoding.upper()[:6]}" in one_line(done.stderr)
    assert "`iconv -f UTF-" in one_line(done.stderr) and not echo.bodies


@pytest.mark.parametrize("text", [b"", b"a,b\n", b"\n"])
def test_a_table_without_rows(run: Run, echo: Echo, tmp_path: Path, text: bytes) -> None:
    done = run("map", "{a}", input=text)
    assert (done.returncode, done.stdout) == (0, b"")
    assert "map: 0 records" in one_line(done.stderr)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    done = run("map", "-f", "t.csv", "{a}", input=text)
    assert done.returncode == 2 and "< t.csv" in one_line(done.stderr)


def test_words_of_the_prompt_are_joined_but_for_a_forgotten_redirection(
    run: Run, echo: Echo, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("x\n")
    assert run("map", "Say", "{}", input=b"x\n").returncode == 0
    assert run("map", "Say", "in.txt", input=b"x\n").returncode == 0
    assert asked(echo) == ["Say x", "x\n\nSay in.txt"]
    done = run("map", "Say", "in.txt", input=b"")
    assert done.returncode == 2 and "< in.txt" in one_line(done.stderr)

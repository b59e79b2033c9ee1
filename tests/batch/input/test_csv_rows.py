"""Rows of a CSV table are records, with a field for each column."""

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
    assert [row["ok"] for row in rows(done.stdout)] == [True, False, True]
    assert done.returncode == 3
    long = b"a,b\n" + b"x" * 2000 + b",1\n2,3\n"
    done = run("map", "--json", "--max-input", "1k", "X {a}", input=long)
    assert [row["ok"] for row in rows(done.stdout)] == [False, True]


def test_a_quote_that_never_ends_takes_no_more_than_allowed(run: Run, echo: Echo) -> None:
    table = b'a\n"oops\n' + b"x\n" * 560
    done = run("map", "--max-input", "1k", "X {a}", input=table)
    assert done.returncode == 3
    assert max(len(prompt_of(body)) for body in echo.bodies) < 1100

"""The forms of records: lines, JSON lines, files, requests of a batch file."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo import Echo, asked, rows
from tests.support.mapping import (
    rows_in,
)
from tests.support.program import Run, one_line


def test_each_line_is_a_record(run: Run, echo: Echo) -> None:
    done = run("map", "Translate: {}", input=b"one\ntwo words\r\n\n  \nthree")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == (
        "answer to Translate: one\nanswer to Translate: two words\nanswer to Translate: three\n"
    )
    assert re.fullmatch(
        r"llmcli: map: 3 done, \d+ in, \d+ out, \$0\.\d+, .* s", one_line(done.stderr)
    )


def test_json_lines_have_fields(run: Run, echo: Echo) -> None:
    records = [
        {"title": "A {b}", "meta": {"tags": ["x", "y"]}, "n": 1, "a.b": "dotted"},
        {"title": "ü", "meta": {"tags": [None]}, "n": 2.5, "a.b": True},
    ]
    lines = "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode()
    done = run("map", "{title}|{meta.tags.0}|{meta}|{n}|{a.b}", input=lines)
    assert done.returncode == 0, done.stderr
    assert asked(echo) == [
        'A {b}|x|{"tags": ["x", "y"]}|1|dotted',
        'ü|null|{"tags": [null]}|2.5|true',
    ]


def test_lines_by_name_have_no_fields(run: Run, echo: Echo) -> None:
    assert run("map", "--format", "lines", "{x}: {}", input=b"a\n").returncode == 0
    assert asked(echo) == ["{x}: a"]


def test_malformed_records_are_errors_of_their_own(run: Run, echo: Echo) -> None:
    lines = b'{"a": "1"}\n{"a": \n{"b": 1}\n\xff\n[1]\n{"a": "2"}\n'
    done = run("map", "--json", "{a}", input=lines)
    assert done.returncode == 3
    found = rows(done.stdout)
    assert [row["ok"] for row in found] == [True, False, False, False, False, True]
    assert [row["index"] for row in found] == list(range(6))
    assert {row["llmcli"]["exit_code"] for row in found if not row["ok"]} == {65}
    assert found[2]["error"]["message"] == "the record has no field a"
    assert "not UTF-8" in found[3]["error"]["message"]
    assert asked(echo) == ["1", "2"]


def test_a_first_record_that_is_too_large_does_not_change_the_format(run: Run, echo: Echo) -> None:
    first = json.dumps({"a": "x" * 3000}).encode()
    done = run("map", "--json", "--max-input", "1k", "X {a}", input=first + b'\n{"a": "ok"}\n')
    assert [row["ok"] for row in rows(done.stdout)] == [False, True]


def test_a_json_array_is_no_records(run: Run, echo: Echo) -> None:
    done = run("map", "X {a}", input=b'[{"a": 1}]')
    assert done.returncode == 2 and "jq -c '.[]'" in one_line(done.stderr)


@pytest.mark.parametrize("options", [[], ["--format", "jsonl"]])
@pytest.mark.parametrize("text", ['{\n  "a": 1\n}\n', '{"a": 1,\n "b": 2}\n', '[\n{"a": 1}\n]\n'])
def test_json_over_several_lines_is_no_json_lines(
    run: Run, echo: Echo, options: list[str], text: str
) -> None:
    done = run("map", *options, "X {a}", input=text.encode())
    assert done.returncode == 2 and "`jq -c" in one_line(done.stderr)
    assert not echo.bodies


def test_a_key_with_blanks_is_a_field(run: Run, echo: Echo) -> None:
    lines = b'{"Unit Price": 2, "a.b": 1, "a": {"b": 9}}\n{"a": 3}\n'
    done = run("map", "--json", "{Unit Price} {a.b} {{x y}}", input=lines)
    assert asked(echo) == ["2 1 {x y}"]
    assert [row["ok"] for row in rows(done.stdout)] == [True, False]
    done = run("map", "{a} {Unit Prise}", input=lines)
    assert done.returncode == 2
    assert "no key Unit Prise; its keys are: Unit Price, a.b, a; {{…}} is literal" in one_line(
        done.stderr
    )


def test_a_file_of_that_very_name_comes_before_the_pattern(
    run: Run, echo: Echo, tmp_path: Path
) -> None:
    for name in ("[id].txt", "i.txt"):
        (tmp_path / name).write_text(name)
    run("map", "--files", "[id].txt", "Say {}")
    run("map", "--files", "[i].txt", "Say {}")
    assert asked(echo) == ["Say [id].txt", "Say i.txt"]


def test_files_by_pattern(run: Run, echo: Echo, tmp_path: Path) -> None:
    for name, text in {"b.py": "two\n", "a.py": "one\n", "c.txt": "no"}.items():
        (tmp_path / name).write_text(text)
    done = run("map", "--json", "--files", "*.py", "Explain", stdin=None)
    assert done.returncode == 0, done.stderr
    expected = '<file name="{}">\n{}\n</file>\n\nExplain'
    assert asked(echo) == [expected.format("a.py", "one"), expected.format("b.py", "two")]
    assert [row["input"] for row in rows(done.stdout)] == ["a.py", "b.py"]
    done = run("map", "--files", "a.py", "{name} has {}")
    assert asked(echo)[-1] == "a.py has one"


def test_images_are_records_too(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    assert run("map", "--files", "*.png", "What is it?").returncode == 0
    parts = echo.bodies[0]["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url"]


def test_no_file_of_that_pattern(run: Run, echo: Echo) -> None:
    done = run("map", "--files", "*.py", "x")
    assert done.returncode == 66
    assert "--files *.py matches no file" in one_line(done.stderr)


def test_a_batch_file(run: Run, echo: Echo, tmp_path: Path) -> None:
    def record(name: str, **body: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": f"Q {name}"}]
        return {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"messages": messages, **body},
        }

    lines = [record("a", model="own", temperature=0.5), record("b"), {"custom_id": "c"}, "no"]
    (tmp_path / "batch.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("map", "--requests", "batch.jsonl", "--max-tokens", "7", "-O", "out.jsonl")
    assert done.returncode == 3, done.stderr
    assert sorted((b["model"], b.get("temperature"), b["max_tokens"]) for b in echo.bodies) == [
        ("m", None, 7),
        ("own", 0.5, 7),
    ]
    found = rows_in(tmp_path / "out.jsonl")
    assert [row["custom_id"] for row in found] == ["a", "b", "c", None]
    first = found[0]
    assert first["response"]["status_code"] == 200 and first["error"] is None
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "answer to Q a"
    assert first["response"]["body"]["object"] == "chat.completion"
    assert found[2]["response"] is None
    assert found[2]["error"] == {
        "code": "bad-request", "message": "the record has no body", "metadata": None
    }  # fmt: skip


def test_a_message_of_a_batch_that_is_none(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "b").write_text('{"custom_id": "q", "body": {"messages": [5]}}\n')
    assert b"1 malformed record" in run("map", "--requests", "b", "--dry-run").stdout
    assert run("map", "--requests", "b").returncode == 3
    assert not echo.bodies


def test_an_empty_input_is_no_failure(run: Run, echo: Echo) -> None:
    done = run("map", "{}", input=b"\n\n")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "map: 0 records" in one_line(done.stderr)

"""Where records come from: lines, JSON lines, CSV rows, files, batch files."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo import Echo, prompt_of, rows
from tests.support.program import PROGRAM, Run, one_line


def asked(server: Echo) -> list[str]:
    return sorted(prompt_of(body) for body in server.bodies)


def test_each_line_is_a_record(run: Run, echo: Echo) -> None:
    done = run("map", "Translate: {}", input=b"one\ntwo words\r\n\n  \nthree")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == (
        "answer to Translate: one\nanswer to Translate: two words\nanswer to Translate: three\n"
    )
    assert re.fullmatch(
        r"llmcli: map: 3 done, \d+ in, \d+ out, \$0\.\d+, .* s", one_line(done.stderr)
    )


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (["{} and {}"], "x and x"),
        (["Say"], "x\n\nSay"),
        ([], "x"),
        (["{stdin}!"], "x!"),
        (["{{}} {{a}} {}"], "{} {a} x"),
        (['{"a": {}} \\n'], '{"a": x} \\n'),
    ],
)
def test_where_the_record_goes(run: Run, echo: Echo, prompt: list[str], expected: str) -> None:
    assert run("map", *prompt, input=b"x\n").returncode == 0
    assert asked(echo) == [expected]


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


def test_lines_by_name_have_no_fields(run: Run, echo: Echo) -> None:
    assert run("map", "--format", "lines", "{x}: {}", input=b"a\n").returncode == 0
    assert asked(echo) == ["{x}: a"]


def test_nul_separated(run: Run, echo: Echo) -> None:
    assert run("map", "-0", "{}", input=b"a\nb\0c\0").returncode == 0
    assert asked(echo) == ["a\nb", "c"]


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
    found = rows((tmp_path / "out.jsonl").read_bytes())
    assert [row["custom_id"] for row in found] == ["a", "b", "c", None]
    first = found[0]
    assert first["response"]["status_code"] == 200 and first["error"] is None
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "answer to Q a"
    assert first["response"]["body"]["object"] == "chat.completion"
    assert found[2]["response"] is None
    assert found[2]["error"] == {
        "code": "bad-request", "message": "the record has no body", "metadata": None
    }  # fmt: skip


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


def test_a_csv_row_with_too_few_columns_is_its_own_error(run: Run, echo: Echo) -> None:
    done = run("map", "--json", "{a}{b}", input=b"a,b\n1\n2,3\n4,5,6\n")
    assert [row["ok"] for row in rows(done.stdout)] == [False, True, False]


def test_a_record_that_is_too_large(run: Run, echo: Echo) -> None:
    done = run("map", "--max-input", "10", "{}", input=b"x" * 200_000 + b"\nok\n")
    assert done.returncode == 3
    assert done.stdout == b"\nanswer to ok\n"
    assert asked(echo) == ["ok"]


def test_every_option_holds_for_each_record(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("shared")
    options = ["-s", "Be brief", "-f", "f.txt", "--temperature", "0", "-o", 'user="u"']
    assert run("map", *options, "{}", input=b"a\nb\n").returncode == 0
    for body, name in zip(sorted(echo.bodies, key=str), "ab", strict=True):
        assert body["temperature"] == 0 and body["user"] == "u"
        system, user = body["messages"]
        assert system == {"role": "system", "content": "Be brief"}
        assert user["content"] == f'<file name="f.txt">\nshared\n</file>\n\n{name}'


def test_a_template_takes_its_variables_from_the_record(run: Run, echo: Echo, home: Path) -> None:
    folder = home / ".config/llmcli/templates"
    folder.mkdir(parents=True)
    (folder / "t.toml").write_text('system = "In {language}"\nprompt = "{name}: {stdin}"')
    done = run("map", "-t", "t", "-p", "language=French", input=b'{"name": "N"}\n')
    assert done.returncode == 0, done.stderr
    assert echo.bodies[0]["messages"] == [
        {"role": "system", "content": "In French"},
        {"role": "user", "content": 'N: {"name": "N"}'},
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume"], "need the FILE of -O"),
        (["--format", "xml"], "one of lines, jsonl, csv, not xml"),
        (["-0", "--format", "csv"], "-0 cannot be combined with --format csv"),
        (["--files", "x", "-0"], "exclude each other"),
        (["-n"], "no records: -n forbids stdin"),
        (["--approve", "--tools", "t", "--run-tools"], "--approve cannot be used with map"),
        (["a", "b"], "unexpected extra argument"),
        (["--requests", "x", "prompt"], "--requests cannot be combined with PROMPT"),
        (["-j", "0"], "-j"),
    ],
)
def test_options_that_do_not_go_together(
    run: Run, echo: Echo, arguments: list[str], words: str
) -> None:
    done = run("map", *arguments, input=b"a\n")
    assert done.returncode == 2
    assert words in one_line(done.stderr)
    assert not echo.bodies


def test_an_empty_input_is_no_failure(run: Run, echo: Echo) -> None:
    done = run("map", "{}", input=b"\n\n")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "map: 0 done" in one_line(done.stderr)


def test_answers_come_while_the_input_is_still_open(echo: Echo, env: dict[str, str]) -> None:
    with subprocess.Popen(
        [PROGRAM, "map", "{}"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"first\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"answer to first\n"
        process.stdin.close()
        assert process.wait(30) == 0

"""Answers with a shape: by a schema, a fenced block, yes or no."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import assistant, said, user
from tests.support.endpoint import USAGE, Script, Server, answer, calling, chunk, events, in_turn
from tests.support.program import Run, one_line, shell

Endpoint = Callable[[Script], Server]
CLOSED = {
    "title": "A person!",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"name": {"type": "string"}}}
GOOD = '{"name": "Ada", "age": 36}'
BAD = '{"name": "Ada"}'


@pytest.mark.parametrize("form", ["file", "json", "stdin"])
@pytest.mark.parametrize(
    ("schema", "rest"),
    [(CLOSED, {"name": "A_person", "strict": True}), (OPEN, {"name": "answer"})],
)
def test_response_format_is_sent(
    run: Run, endpoint: Endpoint, tmp_path: Path, form: str, schema: Any, rest: Any
) -> None:
    server = endpoint(answer(GOOD))
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    given = {"file": "schema.json", "json": json.dumps(schema), "stdin": "-"}[form]
    stdin = json.dumps(schema).encode() if form == "stdin" else b""
    done = run("ask", "--schema", given, "Who?", input=stdin)
    assert (done.returncode, done.stdout) == (0, f"{GOOD}\n".encode()), done.stderr
    assert server.only.json["response_format"] == {
        "type": "json_schema",
        "json_schema": {**rest, "schema": schema},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BAD, "does not fit the schema: $: 'age' is a required property"),
        ('{"name": "Ada", "age": "x"}', "does not fit the schema: $.age: 'x' is not of type"),
        ("Sure! Here it is", "the answer is not JSON: Expecting value"),
        (GOOD + GOOD, "the answer is not JSON: Extra data"),
        ('{"name": "Ada", "age": NaN}', "the answer is not JSON: NaN is not valid JSON"),
        ("[" * 100_000, "the answer is not JSON: nested too deeply"),
    ],
)
def test_an_answer_that_does_not_fit_is_a_failure_that_keeps_the_text(
    run: Run, endpoint: Endpoint, text: str, says: str
) -> None:
    endpoint(answer(text[:5], text[5:]))
    done = run("ask", "--schema", json.dumps(CLOSED), "Who?")
    assert (done.returncode, done.stdout) == (65, text.encode())
    assert says in one_line(done.stderr)


@pytest.mark.parametrize(
    ("text", "says"),
    [(BAD, "'age' is a required property"), ("[" * 100_000, "nested too deeply")],
    ids=["other JSON", "no JSON"],
)
def test_its_text_is_in_the_object_and_in_the_part(
    run: Run, endpoint: Endpoint, tmp_path: Path, text: str, says: str
) -> None:
    endpoint(answer(text))
    options = ["--schema", json.dumps(CLOSED)]
    value = json.loads(run("ask", *options, "--json", "Who?").stdout)
    assert value["choices"][0]["message"]["content"] == text
    assert says in value["error"]["message"]
    (tmp_path / "out").write_text("old")
    done = run("ask", *options, "-O", "out", "Who?")
    assert done.returncode == 65
    assert (tmp_path / "out").read_text() == "old"
    assert (tmp_path / "out.part").read_text() == text


def test_parsed_in_the_object(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer(GOOD))
    value = json.loads(run("ask", "--schema", json.dumps(CLOSED), "--json", "Who?").stdout)
    assert value["llmcli"]["parsed"] == {"name": "Ada", "age": 36}


def test_repair_sends_it_back_with_the_error(run: Run, endpoint: Endpoint) -> None:
    wrong = (answer("Ada, 36", usage=USAGE), answer(BAD, usage=USAGE))
    server = endpoint(in_turn(*wrong, answer(GOOD, usage=USAGE)))
    done = run("ask", "--schema", json.dumps(CLOSED), "--repair", "2", "Who?")
    assert (done.returncode, done.stdout) == (0, f"{GOOD}\n".encode())
    assert b"36 in (12 cached), 102 out, $0.0037" in done.stderr
    complaint = said(server)[4]["content"]
    assert said(server)[:2] == [user("Who?"), assistant("Ada, 36")]
    assert said(server)[2]["content"].startswith("The answer is not JSON: ")
    assert said(server)[3] == assistant(BAD)
    assert "'age' is a required property" in complaint
    endpoint(in_turn(*wrong))
    done = run("ask", "--schema", json.dumps(CLOSED), "--repair", "1", "Who?")
    assert (done.returncode, done.stdout) == (65, BAD.encode())


@pytest.mark.parametrize(
    ("options", "text", "shown"),
    [
        ([], f"```json\n{GOOD}\n```", f"{GOOD}\n"),
        ([], f"\n~~~\n{GOOD}\n~~~\n\n", f"{GOOD}\n"),
        (["-x"], GOOD, f"{GOOD}\n"),
        (["--block", "json"], f"```\nx\n```\n```json\n{GOOD}\n```", f"{GOOD}\n"),
    ],
)
def test_json_in_a_fence_or_bare(
    run: Run, endpoint: Endpoint, options: list[str], text: str, shown: str
) -> None:
    endpoint(answer(text))
    done = run("ask", "--schema", json.dumps(CLOSED), *options, "Who?")
    assert (done.returncode, done.stdout) == (0, shown.encode()), done.stderr


@pytest.mark.parametrize("text", [f"Here:\n```\n{GOOD}\n```", f"```\n{GOOD}\n```\n```\nx\n```"])
def test_json_beside_other_text_is_not_taken_out(run: Run, endpoint: Endpoint, text: str) -> None:
    endpoint(answer(text))
    done = run("ask", "--schema", json.dumps(CLOSED), "Who?")
    assert (done.returncode, done.stdout) == (65, text.encode())
    assert "-x takes it out of its fenced block" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("schema", "text", "code"),
    [
        (CLOSED, GOOD, 0),
        (CLOSED, f"```json\n{GOOD}\n```", 0),
        ({"type": "array"}, "[1]  ", 0),
        ({"type": "integer"}, "12", 86),
        (CLOSED, BAD, 86),
        (CLOSED, "", 86),
    ],
)
def test_a_closed_object_at_the_limit_is_whole(
    run: Run, endpoint: Endpoint, schema: Any, text: str, code: int
) -> None:
    endpoint(events(chunk(text), chunk("", finish_reason="length")))
    assert run("ask", "--schema", json.dumps(schema), "--repair", "1", "Who?").returncode == code


def test_an_answer_cut_by_its_length_is_said_to_be_cut(run: Run, endpoint: Endpoint) -> None:
    def cut(wire: Any, _request: Any) -> None:
        wire.head()
        wire.text('{"name": "A')
        wire.finish("length")

    endpoint(cut)
    done = run("ask", "--schema", json.dumps(CLOSED), "--max-tokens", "5", "--repair", "3", "Who?")
    assert (done.returncode, done.stdout) == (86, b'{"name": "A\n')


def test_a_schema_of_the_block(run: Run, endpoint: Endpoint) -> None:
    endpoint(in_turn(answer(f"Here:\n```json\n{GOOD}\n```"), answer(f"```\n{BAD}\n```")))
    options = ["-x", "--schema", json.dumps(CLOSED)]
    assert run("ask", *options, "hi").stdout == f"{GOOD}\n".encode()
    assert run("ask", *options, "hi").returncode == 65


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(("Yes", 0), ("yes.", 0), ("**Yes**", 0), (" YES\n", 0), ("_yes_", 0)),
        *(("No", 1), ("no!", 1), ('"No."', 1)),
        *(("Nobody knows", 65), ("Perhaps", 65), ("The answer is yes", 65), ("yesterday", 65)),
        *(("Yes and no.", 65), ("No problem, yes it is", 65), ("Yes, but", 65), ("Yes/No", 65)),
    ],
)
def test_yes_no(run: Run, endpoint: Endpoint, text: str, code: int) -> None:
    server = endpoint(answer(text))
    done = run("ask", "-q", "--yes-no", "Is it?")
    assert done.returncode == code
    assert done.stdout.decode().rstrip("\n") == text.rstrip("\n")
    assert said(server)[0]["content"] == "Answer with the single word yes or no."
    if code == 65:
        assert "the answer is neither a plain yes nor a plain no" in one_line(done.stderr)
    else:
        assert done.stderr == b""


@pytest.mark.parametrize(("text", "code"), [("Yes", 0), ("No.", 1), ("Perhaps", 65)])
def test_yes_or_no_is_in_the_object(run: Run, endpoint: Endpoint, text: str, code: int) -> None:
    endpoint(answer(text))
    about = json.loads(run("ask", "--json", "--yes-no", "Is it?").stdout)["llmcli"]
    assert (about["ok"], about["exit_code"]) == (code != 65, code)
    assert about.get("answer") == {0: "yes", 1: "no"}.get(code)


def test_what_a_shape_adds_is_not_kept(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(
        in_turn(answer("Yes"), answer("no fence"), answer("```\nx\n```"), answer("A"))
    )
    run("ask", "--session", "s", "--yes-no", "-s", "You are Bob", "Q1")
    told = "You are Bob\n\nAnswer with the single word yes or no."
    assert said(server)[0]["content"] == told
    assert run("ask", "-c", "-x", "--repair", "1", "Q2").returncode == 0
    run("ask", "-c", "Q3")
    assert [m["content"] for m in said(server)] == [
        *("You are Bob", "Q1", "Yes", "Q2", "```\nx\n```", "Q3")
    ]
    shown = json.loads(run("ask", "-m", "m", "--yes-no", "--dry-run", "Q").stdout)
    assert shown["messages"][0]["content"] == "Answer with the single word yes or no."


def test_yes_no_keeps_a_system_message_of_parts(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("Yes"))
    rules: dict[str, Any] = {"role": "developer", "content": [{"type": "text", "text": "Rules"}]}
    given = json.dumps([rules, {"role": "user", "content": "a"}])
    assert run("ask", "--yes-no", "--messages", "-", input=given.encode()).returncode == 0
    told = {"type": "text", "text": "Answer with the single word yes or no."}
    assert said(server)[0] == {**rules, "content": [*rules["content"], told]}


def test_yes_no_in_a_script(endpoint: Endpoint, env: dict[str, str], tmp_path: Path) -> None:
    endpoint(in_turn(answer("Yes."), answer("No.")))
    ask = '"$0" ask -n -q --yes-no "Is it?" > /dev/null'
    script = f"for i in 1 2; do if {ask}; then echo spam; else echo $?; fi; done"
    done = shell(env, script, tmp_path)
    assert (done.stdout, done.stderr) == (b"spam\n1\n", b"")


def test_a_call_of_a_tool_is_no_yes(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text('[{"function": {"name": "f"}}]')
    endpoint(calling(("c1", "f", {})))
    assert run("ask", "--tools", "tools.json", "--yes-no", "Is it?").returncode == 65


@pytest.mark.parametrize(
    "arguments",
    [
        ("--yes-no", "-x"),
        ("--block", "0"),
        ("--block", "-1"),
        ("--block", ""),
        ("--yes-no", "--schema", "{}"),
        ("--repair", "1"),
        ("--repair", "-1"),
    ],
)
def test_options_that_exclude_each_other(
    run: Run, endpoint: Endpoint, arguments: tuple[str, ...]
) -> None:
    server = endpoint(answer("x"))
    assert run("ask", *arguments, "hi").returncode == 2
    assert server.requests == []

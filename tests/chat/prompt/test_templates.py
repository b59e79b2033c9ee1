"""Saved prompts: variables, defaults, model and options, and the commands."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import said
from tests.support.endpoint import Script, Server, answer
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all

Endpoint = Callable[[Script], Server]
Write = Callable[[str, str], Path]


@pytest.fixture
def template(home: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = home / ".config/llmcli/templates" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


GREET = """
description = "Greets"
system = "Speak {language}."
prompt = "Greet {name}, {{literally}}, in {language}."
model = "vendor/polyglot"
temperature = 0.5
max_tokens = 60
options = { top_k = 3 }
[defaults]
language = "French"
"""


def test_variables_defaults_model_and_options(run: Run, server: Server, template: Write) -> None:
    template("greet", GREET)
    done = run("ask", "-t", "greet", "-p", "name=Ada")
    assert done.returncode == 0, done.stderr
    assert server.only.json == {
        "model": "vendor/polyglot",
        "messages": [
            {"role": "system", "content": "Speak French."},
            {"role": "user", "content": "Greet Ada, {literally}, in French."},
        ],
        "temperature": 0.5,
        "max_tokens": 60,
        "top_k": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_flags_stand_above_it(run: Run, server: Server, template: Write) -> None:
    template("greet", GREET)
    flags = ["-m", "other", "--temperature", "1", "-s", "Be brief", "-p", "language=x=y"]
    run("ask", "-t", "greet", "-p", "name=Ada", *flags)
    body = server.only.json
    assert (body["model"], body["temperature"]) == ("other", 1.0)
    assert said(server)[0]["content"] == "Be brief"
    assert said(server)[1]["content"] == "Greet Ada, {literally}, in x=y."


@pytest.mark.parametrize(
    ("prompt", "words", "stdin", "sent"),
    [
        ("Review:\n{stdin}\nBe kind.", "", b"the diff\n", "Review:\nthe diff\nBe kind."),
        ("Review it.", "", b"the diff\n", "the diff\n\nReview it."),
        ("Review {prompt}, please.", "main.c", b"", "Review main.c, please."),
        ("Review it.", "Be kind.", b"", "Review it.\n\nBe kind."),
        ("Review {x}.", "", b"", "Review {stdin} {prompt} {x}."),
        ("A {x} b.", "see {stdin}", b"S", "A {stdin} {prompt} {x} b.\n\nsee S"),
        ('Like {"a": {"b": 1}}.', "", b"", 'Like {"a": {"b": 1}}.'),
    ],
)
def test_what_stands_where(
    run: Run, server: Server, template: Write, prompt: str, words: str, stdin: bytes, sent: str
) -> None:
    template("t", f"prompt = '''{prompt}'''")
    # What stands in a value is text, not another variable.
    values = ["-p", "x={stdin} {prompt} {x}"] if "{x}" in prompt else []
    done = run("ask", "-t", "t", *values, *([words] if words else []), input=stdin)
    assert done.returncode == 0, done.stderr
    assert said(server)[-1]["content"] == sent


def test_a_template_with_a_system_message_only(run: Run, server: Server, template: Write) -> None:
    template("pirate", 'system = "You are a pirate."')
    run("ask", "-t", "pirate", "Hello")
    assert [m["content"] for m in said(server)] == ["You are a pirate.", "Hello"]
    assert run("ask", "-t", "pirate", "-n").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("-t", "greet"), 2, "template greet lacks name; give -p name=…"),
        (
            ("-t", "greet", "-p", "name=x", "-p", "nmae=y"),
            2,
            "no variable 'nmae'; its variables are: ",
        ),
        (("-t", "greet", "-p", "name"), 2, "-p 'name' is not NAME=VALUE"),
        (("-t", "greet", "-p", "stdin=x", "-p", "name=y"), 2, "no variable 'stdin'"),
        (
            (
                "-t",
                "gret",
            ),
            66,
            "there is no template gret; did you mean greet?",
        ),
        (("-t", "../x"), 66, "there is no template ../x"),
        (("-t", ".x"), 2, "cannot name a template"),
        (("-p", "name=x", "hi"), 2, "name the template with -t"),
        (("-t", "words"), 2, "template words needs a PROMPT"),
        (("-t", "piped", "-n"), 2, "there is no stdin; drop -n"),
    ],
)
def test_what_is_missing_or_unknown_sends_nothing(
    run: Run, server: Server, template: Write, arguments: tuple[str, ...], code: int, says: str
) -> None:
    template("greet", GREET)
    template("words", 'prompt = "Review {prompt}"')
    template("piped", 'prompt = "Review {stdin}"')
    done = run("ask", *arguments)
    assert done.returncode == code
    assert says in one_line(done.stderr)
    assert server.requests == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt = x", "t.toml:1:10: not TOML: Invalid value"),
        ('\nprompd = "x"', "t.toml:2: a template cannot have 'prompd'; did you mean prompt?"),
        ("prompt = 3", "t.toml:1: prompt must be a text"),
        ('prompt = "x"\nmax_tokens = "many"', "t.toml:2: max_tokens must be a whole number"),
        ('base_url = "http://x"', "a template cannot have 'base_url'"),
        ('api_key_file = "x"', "a template cannot have 'api_key_file'"),
        (
            'prompt = "x"\n[defaults]\ny = "1"',
            "defaults has 'y', but prompt and system have no {y}",
        ),
        ('prompt = "{y}"\n[defaults]\ny = [1]', "defaults must be a table of texts"),
        ('system = "{stdin}"', "{stdin} can stand in prompt, not in system"),
    ],
)
def test_a_malformed_template_is_named_with_its_place(
    run: Run, server: Server, template: Write, text: str, says: str
) -> None:
    template("t", text)
    done = run("ask", "-t", "t", "hi")
    assert done.returncode == 78
    assert says in one_line(done.stderr)
    assert server.requests == []
    assert says in one_line(run("template", "list").stderr)


def test_a_path_names_one_as_well(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('prompt = "from a path"')
    assert run("ask", "-t", "./my.toml").returncode == 0
    assert said(server)[-1]["content"] == "from a path"


def test_list_and_show(run: Run, template: Write) -> None:
    template("greet", GREET)
    template("plain", 'prompt = "No variables\\nhere"')
    done = run("template", "list")
    assert done.stdout.decode() == "greet\tlanguage name\tGreets\nplain\t-\tNo variables here\n"
    assert run("template", "show", "greet").stdout.decode() == GREET.rstrip("\n") + "\n"
    assert run("template", "show", "nothing").returncode == 66


def test_edit(run: Run, env: dict[str, str], template: Write, home: Path) -> None:
    env["EDITOR"] = "sed -i s/French/Norse/"
    assert run("template", "edit", "new").returncode == 0
    path = home / ".config/llmcli/templates/new.toml"
    assert 'language = "Norse"' in path.read_text()
    assert run("ask", "-m", "m", "-t", "new", "-p", "word=hi", "--dry-run").returncode == 0
    env["VISUAL"] = "sed -i s/prompt/prompd/"
    done = run("template", "edit", "new")
    assert done.returncode == 78
    assert "new.toml:4: a template cannot have 'prompd'" in one_line(done.stderr)
    env["VISUAL"] = "true"
    assert run("template", "edit", "unchanged").returncode == 66
    env["VISUAL"] = "false"
    assert run("template", "edit", "unchanged").returncode == 78
    assert b"unchanged" not in run("template", "list").stdout
    env["VISUAL"] = "/nowhere/editor"
    done = run("template", "edit", "new")
    assert done.returncode == 78
    assert "cannot run the editor /nowhere/editor: No such file" in one_line(done.stderr)


def test_escapes_are_harmless_on_a_terminal(run: Run, env: dict[str, str], template: Write) -> None:
    template("t", 'prompt = "x" # \x9b31m')
    with on_a_terminal([PROGRAM, "template", "show", "t"], env) as (process, terminal):
        assert b"\\x9b31m" in read_all(terminal)
        assert process.wait(120) == 0


def test_the_body_is_shown_before_anything_is_sent(
    run: Run, server: Server, template: Write
) -> None:
    template("greet", GREET)
    body = json.loads(run("ask", "-t", "greet", "-p", "name=Ada", "--dry-run").stdout)
    assert body["messages"][1]["content"] == "Greet Ada, {literally}, in French."
    assert server.requests == []


def test_names_of_letters_digits_and_hyphens(run: Run, server: Server, template: Write) -> None:
    template("dear", 'prompt = "Dear {first-name} {été_2}"')
    done = run("ask", "-t", "dear")
    assert done.returncode == 2
    assert "template dear lacks first-name, été_2" in one_line(done.stderr)
    assert run("ask", "-t", "dear", "-p", "first-name=Bob", "-p", "été_2=B").returncode == 0
    assert said(server)[-1]["content"] == "Dear Bob B"
    record = json.dumps({"first-name": "Ann", "été_2": "C"}).encode()
    assert run("map", "-t", "dear", "--format", "jsonl", input=record).returncode == 0
    assert said(server)[-1]["content"].endswith("\n\nDear Ann C")


def test_a_dash_with_a_template_is_stdin(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "r.toml").write_text('prompt = "Review"')
    run("ask", "-t", "./r.toml", "-", input=b"DIFF")
    assert said(server)[-1]["content"] == "DIFF\n\nReview"
    os.mkfifo(tmp_path / "fifo")
    done = run("ask", "-t", "./fifo", "hi")
    assert done.returncode == 66
    assert "fifo: it is a FIFO, not a regular file" in one_line(done.stderr)

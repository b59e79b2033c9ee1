"""What is asked of each record: the prompt with the record in it, and every option."""

from pathlib import Path

import pytest

from tests.support.echo import Echo, asked, prompt_of
from tests.support.program import Run


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


def test_a_number_stands_in_the_prompt_as_it_was_written(run: Run, echo: Echo) -> None:
    done = run("map", "{a} {b} {c}", input=b'{"a": 1.10, "b": 2, "c": 1e3}\n')
    assert done.stdout == b"answer to 1.10 2 1e3\n"


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


def test_braces_of_a_template_are_its_own(run: Run, echo: Echo, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('prompt = "Return {} if none."')
    assert run("map", "-t", "./t.toml", input=b"hello\n").returncode == 0
    assert prompt_of(echo.bodies[0]) == "hello\n\nReturn {} if none."

"""What a start loads, and that a plain command line means the same without Typer."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.cli import parser
from llmcli.cli.app import Invocation, app, spread
from llmcli.cli.command_table import COMMANDS
from llmcli.config.options import AskOptions, Words
from llmcli.system.dataclass import fields
from tests.support.endpoint import Script, Server, answer

# Runs the program, and writes down what was loaded when it ends.
_NOTED = """
import os, sys
end = os._exit
def note(code):
    with open({at!r}, "w") as file:
        file.write("\\n".join(sys.modules))
    end(code)
os._exit = note
sys.argv = ["llmcli", *{arguments!r}]
from llmcli.cli.entry import main
main()
"""
# Slow to load, or of no use to most runs.
HEAVY = {
    *("requests", "urllib3", "typer", "rich", "pydantic", "sseclient", "jsonschema", "keyring"),
    *("dataclasses", "inspect", "difflib", "tomllib", "datetime", "decimal", "tempfile", "random"),
    *("subprocess", "base64", "hashlib", "shutil", "zipfile", "asyncio", "json", "re", "logging"),
    *(
        "llmcli.cli.main",
        "llmcli.cli.app",
        "llmcli.spending.budget",
        "llmcli.spending.sums.summary",
    ),
    *("llmcli.chat.sessions.store", "llmcli.chat.prompt.templates", "llmcli.tools.definition"),
    *("llmcli.tools.json_schema", "llmcli.tools.runner", "llmcli.backends.embedded.download"),
    *(f"llmcli.cli.commands.{name}" for name in COMMANDS),
}
ASK = {"llmcli.cli.main", "llmcli.cli.commands.ask", "json", "re", "decimal"}
SENT = {"datetime", "random", "base64"}
TYPER = {"typer", "inspect"}


def loaded(env: dict[str, str], tmp_path: Path, *arguments: str) -> set[str]:
    at = tmp_path / "loaded"
    code = _NOTED.format(at=str(at), arguments=arguments)
    subprocess.run(
        [sys.executable, "-I", "-c", code],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return set(at.read_text().split("\n")) & HEAVY


def test_version_loads_nothing(env: dict[str, str], tmp_path: Path) -> None:
    assert loaded(env, tmp_path, "--version") == set()


def test_help_loads_no_command(env: dict[str, str], tmp_path: Path) -> None:
    found = loaded(env, tmp_path, "--help")
    assert found >= TYPER
    assert not found & {"requests", "rich", "pydantic", "dataclasses", "tomllib", "urllib3"}
    assert not {name for name in found if name.startswith("llmcli.cli.commands.")}


@pytest.mark.parametrize("command", ["ask", "models", "config", "session"])
def test_a_command_loads_no_other(env: dict[str, str], tmp_path: Path, command: str) -> None:
    found = loaded(env, tmp_path, command, "--help")
    commands = {name for name in found if name.startswith("llmcli.cli.commands.")}
    assert commands == {f"llmcli.cli.commands.{command}"}
    assert not found & {"requests", "rich", "pydantic", "urllib3"}


def test_a_dry_run_loads_what_makes_a_request(env: dict[str, str], tmp_path: Path) -> None:
    assert loaded(env, tmp_path, "ask", "--dry-run", "-m", "m", "hi") == ASK


def test_a_request_loads_what_sends_it(
    endpoint: Callable[[Script], Server], env: dict[str, str], tmp_path: Path
) -> None:
    server = endpoint(answer("x"))
    found = loaded(env, tmp_path, "ask", "-q", "hi")
    assert len(server.requests) == 1
    of_requests = {"hashlib", "shutil", "zipfile"}
    assert found - of_requests == ASK | SENT


def test_commands_are_listed_as_they_say_of_themselves() -> None:
    for name, about in COMMANDS.items():
        module = import_module(f"llmcli.cli.commands.{name}")
        group = getattr(module, "app", None)
        function = group.registered_callback.callback if group else getattr(module, name)
        assert inspect.getdoc(function).splitlines()[0] == about  # type: ignore[union-attr]


NO_ENVIRONMENT: Any = None


def by_typer(arguments: list[str]) -> Any:
    """The parameters of `ask` by Typer; None for an error."""
    found: list[tuple[AskOptions, list[str] | None]] = []

    def noted(environment: Any, options: AskOptions, words: Words = None) -> None:
        found.append((options, words))

    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(spread(noted, AskOptions))
    try:
        alone(arguments, standalone_mode=False, obj=Invocation(NO_ENVIRONMENT, alone=False))
    except Exception:  # noqa: BLE001  # whatever Typer raises, it is an error
        return None
    return found[0] if found else None


NAMES = [
    name
    for group in fields(AskOptions)
    for field in fields(group.type)
    for name in field.type.__metadata__[0].names
]
VALUES = ["", "-", "--", "a", "a b", "5", "0", "-1", "1e3", "nan", " 7 ", "1_0", "x=y", "@f", "é"]
ARGUMENTS = st.one_of(
    st.sampled_from([*NAMES, *VALUES, "--help", "-qn", "-mx", "--mod", "-1", "ask", "--bad"]),
    st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(VALUES)),
    st.text(max_size=4),
)
PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES))
LINES = st.one_of(
    st.lists(ARGUMENTS, max_size=5),
    st.lists(PAIRS, max_size=4).map(lambda pairs: [word for pair in pairs for word in pair]),
)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_plain_arguments_mean_what_they_mean_to_typer(arguments: list[str]) -> None:
    plain = parser.parse_arguments(arguments, AskOptions)
    if plain is not None:
        assert repr(plain) == repr(by_typer(arguments))  # not ==, for NaN


def test_each_option_is_read_without_typer() -> None:
    for name in NAMES:
        found = [parser.parse_arguments([name, *more, "hi"], AskOptions) for more in ([], ["5"])]
        assert any(one is not None for one in found), name


def test_nothing_of_a_definition_is_overlooked() -> None:
    for group in fields(AskOptions):
        for field in fields(group.type):
            assert set(field.type.__metadata__[0].about) <= {"metavar", "help", "min", "parser"}


def test_the_whole_app_knows_each_command() -> None:
    assert list(typer.main.get_command(app()).commands) == list(COMMANDS)  # type: ignore[attr-defined]

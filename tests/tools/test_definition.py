"""The definitions of tools: what they may say, what of them is sent, what their programs see."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import results
from tests.support.endpoint import Script, Server, answer, calling, in_turn
from tests.support.program import CITY, KEY, Run, Tools, one_line

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize("key", ["local", "bin"])
def test_a_short_key_leaves_the_environment_of_a_tool(
    run: Run, endpoint: Endpoint, tools: Tools, env: dict[str, str], key: str
) -> None:
    server = endpoint(in_turn(calling(("c1", "show", {})), answer("x")))
    env["LLMCLI_API_KEY"] = key
    env["COPY"] = key
    run("ask", *tools({"env": ["COPY"]}, show="env"), "Q")
    names = {line.partition("=")[0] for line in results(server)[0].splitlines()}
    assert "PATH" in names and "COPY" not in names


def test_its_environment_has_no_key(
    run: Run, endpoint: Endpoint, tools: Tools, env: dict[str, str]
) -> None:
    server = endpoint(in_turn(calling(("c1", "show", {})), answer("x")))
    env |= {"CLINE_API_KEY": "other-secret-key", "WANTED": "yes", "OTHER": "no", "LC_ALL": "C"}
    env["COPY"] = f"Bearer {KEY}"
    more = {"env": ["WANTED", "COPY", "LLMCLI_API_KEY", "CLINE_API_KEY"]}
    assert run("ask", *tools(more, show="env"), "Q").returncode == 0
    names = {line.partition("=")[0] for line in results(server)[0].splitlines()}
    assert {"PATH", "HOME", "LC_ALL", "WANTED"} <= names
    assert not names & {"OTHER", "COPY", "CLINE_API_KEY"}
    assert not any(name.startswith("LLMCLI") for name in names)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--run-tools",), 2, "--run-tools needs --tools FILE"),
        (("--run-tools", "--tools", "none.json"), 2, "no tool of none.json has a command"),
        (
            ("--run-tools", "--tools", "bad.json"),
            65,
            "the parameters of f: not a valid JSON Schema",
        ),
        (("--tools", "missing.json"), 66, "cannot read missing.json"),
        (("--run-tools", "--tools", "gone.json"), 78, "tool f: cannot find program ./nowhere; a"),
        (("--tools", "none.json", "--approve"), 2, "--approve and --strict-tools need --run-tools"),
    ],
)
def test_what_cannot_work_sends_nothing(
    run: Run,
    endpoint: Endpoint,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "none.json").write_text('[{"function": {"name": "f"}}]')
    function = {"name": "f", "parameters": {"type": "objekt"}}
    gone = [{"function": {"name": "f"}, "command": ["./nowhere"]}]
    (tmp_path / "gone.json").write_text(json.dumps(gone))
    (tmp_path / "bad.json").write_text(json.dumps([{"function": function, "command": ["true"]}]))
    done = run("ask", *arguments, "Q")
    assert done.returncode == code
    assert says in one_line(done.stderr)
    assert server.requests == []


def test_definitions_are_sent_without_what_is_ours(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = endpoint(answer("x"))
    weather = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    other = {"type": "function", "function": {"name": "other"}, "strict": True}
    own = {"command": ["never-run"], "timeout": 3, "max_output": 10, "env": ["X"]}
    (tmp_path / "tools.json").write_text(json.dumps([weather, {**other, **own}]))
    assert run("ask", "--tools", "tools.json", "hi").returncode == 0
    assert server.only.json["tools"] == [weather, other]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "tools.json is not JSON"),
        ("[1]", "tool 0 is not an object; expected ["),
        ("[]", "defines no tools"),
        ('[{"type": "function"}]', "tool 0 has no function with a name"),
        ('[{"function": {"name": "f"}}, {"function": {"name": "f"}}]', "two tools named 'f'"),
        ('[{"function": {"name": "f"}, "command": "ls -l"}]', "command must be a list of texts"),
        ('[{"function": {"name": "f"}, "timout": 2}]', "'timout'; did you mean timeout?"),
        ('[{"function": {"name": "f"}, "command": []}]', "command must be a list of texts"),
        ('[{"function": {"name": "f"}, "timeout": 0}]', "timeout must be above 0"),
        ('[{"function": {"name": "f", "command": ["x"]}}]', "command must stand beside function"),
        ('[{"function": {"name": "f", "parameters": 1}}]', "parameters must be a JSON Schema"),
    ],
)
def test_definitions_that_are_none(
    run: Run, endpoint: Endpoint, tmp_path: Path, text: str, says: str
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "tools.json").write_text(text)
    done = run("ask", "--tools", "tools.json", "hi")
    assert done.returncode == 65
    assert says in one_line(done.stderr)
    assert server.requests == []

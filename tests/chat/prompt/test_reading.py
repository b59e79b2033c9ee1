"""What goes in: words, stdin and files, seen in the request that the server receives."""

import base64
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.program import PROGRAM, Run
from tests.support.waiting import reach_deadline

Endpoint = Callable[[Script], Server]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def content(server: Server) -> Any:
    return server.only.json["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        (["ask", "say", "hi"], b"", "say hi"),
        (["say hi"], b"", "say hi"),
        (["say", "hi"], b"", "say hi"),
        ([], b"from a pipe\n", "from a pipe"),
        (["-"], b"from a pipe", "from a pipe"),
        (["ask", "-"], b"x\n\n", "x"),
        (["what is this?"], b"a log\nof two lines\n", "a log\nof two lines\n\nwhat is this?"),
        (["before {stdin} after"], b"THE INPUT\n", "before THE INPUT after"),
        (["ask", "3", "-", "2"], b"", "3 - 2"),
        (["ask", "--", "--help"], b"", "--help"),
        (["hello", "to", "all"], b"", "hello to all"),
        (["-n", "only words"], b"not this", "only words"),
        (["ask", "hi"], b"", "hi"),
        (["ask", "hi"], b"\xef\xbb\xbfwith a mark", "with a mark\n\nhi"),
        (["ask", "naïve 日本 🎉"], b"", "naïve 日本 🎉"),
        (["ask", "hi"], b"  indented\r\n", "  indented\n\nhi"),
    ],
)
def test_words_and_stdin(
    run: Run, server: Server, arguments: list[str], stdin: bytes, expected: str
) -> None:
    done = run(*arguments, input=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"ok\n"
    assert content(server) == expected


def test_closed_stdin_is_no_stdin(run: Run, server: Server, env: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" ask hi <&-', PROGRAM], env=env, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert content(server) == "hi"


def test_text_files_stand_in_front_with_their_names(
    run: Run, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("alpha\n")
    (tmp_path / "b.txt").write_text("beta")
    assert run("ask", "-f", "a.txt", "--file", "b.txt", "compare", input=b"piped").returncode == 0
    assert content(server) == (
        '<file name="a.txt">\nalpha\n</file>\n\n<file name="b.txt">\nbeta\n</file>\n\n'
        "piped\n\ncompare"
    )


def test_stdin_as_a_file(run: Run, server: Server) -> None:
    assert run("ask", "-f", "-", "what is it?", input=b"piped\n").returncode == 0
    assert content(server) == '<file name="stdin">\npiped\n</file>\n\nwhat is it?'


def test_images_are_parts_judged_by_content(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_bytes(PNG)
    assert run("ask", "-f", "picture.txt", "-f", "-", "what?", input=PNG).returncode == 0
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    image = {"type": "image_url", "image_url": {"url": url}}
    assert content(server) == [{"type": "text", "text": "what?"}, image, image]


def test_system_message_as_text_and_file(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "system.md").write_text("Be brief.\n")
    for argument, expected in (("Be kind.", "Be kind."), ("@system.md", "Be brief.")):
        server = endpoint(answer("ok"))
        assert run("ask", "-s", argument, "hi").returncode == 0
        assert server.only.json["messages"] == [
            {"role": "system", "content": expected},
            {"role": "user", "content": "hi"},
        ]


def test_open_stdin_is_named_while_it_is_waited_for(server: Server, env: dict[str, str]) -> None:
    with subprocess.Popen(
        [PROGRAM, "ask", "hi"], env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stderr
        assert process.stderr.readline() == b"llmcli: waiting for stdin; -n ignores it\n"
        process.stdin.write(b"late")
        process.stdin.close()
        assert process.wait(120) == 0
    assert content(server) == "late\n\nhi"


def test_waiting_for_stdin_counts_towards_the_deadline(server: Server, env: dict[str, str]) -> None:
    with subprocess.Popen(
        [PROGRAM, "ask", "--deadline", "100", "hi"],
        env=env,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr and b"waiting for stdin" in process.stderr.readline()
        reach_deadline(process)
        assert process.wait(120) == 124
        assert b"deadline of 100 s reached: stdin has not ended" in process.stderr.read()
    assert server.requests == []


def on_a_terminal(arguments: list[str], env: dict[str, str], typed: bytes = b"") -> tuple[int, str]:
    """Exit code and stderr of llmcli with a terminal as stdin."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments],
        env=env,
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(child)
        assert process.stderr
        said = b""
        if typed:
            said = process.stderr.readline()
            os.write(parent, typed)
        said += process.stderr.read()
        code = process.wait(120)
    os.close(parent)
    return code, said.decode()


def test_terminal_without_prompt_gets_a_short_help(server: Server, env: dict[str, str]) -> None:
    code, said = on_a_terminal([], env)
    assert code == 2
    assert "no prompt" in said and "llmcli --help" in said
    assert server.requests == []


def test_prompt_can_be_typed(server: Server, env: dict[str, str]) -> None:
    code, said = on_a_terminal(["-"], env, b"typed\n\x04")
    assert code == 0, said
    assert content(server) == "typed"


def test_terminal_is_not_read_beside_a_prompt(server: Server, env: dict[str, str]) -> None:
    assert on_a_terminal(["ask", "hi"], env)[0] == 0
    assert content(server) == "hi"


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1"])
def test_text_is_utf8_whatever_the_locale(
    run: Run, endpoint: Endpoint, env: dict[str, str], locale: str
) -> None:
    server = endpoint(answer("ça va 🎉"))
    env["LC_ALL"] = env["LANG"] = locale
    done = run("ask", "-s", "sé", "été", input="日本".encode())
    assert done.stdout == "ça va 🎉\n".encode()
    assert [m["content"] for m in server.only.json["messages"]] == ["sé", "日本\n\nété"]

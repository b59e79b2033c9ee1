"""Bad input: one clear line, its own exit code, and nothing is sent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
PNG = b"\x89PNG\r\n\x1a\n\x00"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        ([], b"", 2, "empty prompt; nothing sent"),
        (["ask", ""], b"", 2, "empty prompt; nothing sent"),
        (["ask", "  "], b"", 2, "empty prompt; nothing sent"),
        (["-n"], b"x", 2, "no prompt"),
        (["confg", "show"], b"", 2, "did you mean `llmcli config`?"),
        (["ask", "--modle", "x", "hi"], b"", 2, "--model"),
        (["ask", "--max-tokens", "many", "hi"], b"", 2, "--max-tokens"),
        (["ask", "-o", "x", "hi"], b"", 2, "-o 'x' is not KEY=VALUE"),
        (["ask", "-o", 'x="y z', "hi"], b"", 2, "a text is put in quotes: -o 'x="),
        (["ask", "-o", "stream=false", "hi"], b"", 2, "use --no-stream"),
        (["ask", "-o", "x=[NaN]", "hi"], b"", 2, "not valid JSON: [NaN]"),
        (["ask", "--header", "X", "hi"], b"", 2, "NAME=VALUE"),
        (["ask", "--header", "X=a\nY: b", "hi"], b"", 2, "header X"),
        (["ask", "--header", "X Y=a", "hi"], b"", 2, "not a valid header name"),
        (["-", "and more"], b"x", 2, "write {stdin}"),
        (["ask", "-f", "-", "see {stdin}"], b"x", 2, "but another option reads stdin"),
        (["ask", "{stdin}", "-n"], b"", 2, "drop -n"),
        (["ask", "see {stdin}"], b" \n", 2, "stdin is empty; nothing sent"),
        (["ask", "-f", "-", "see"], b"", 2, "stdin is empty; nothing sent"),
        ([""], b"", 2, "empty prompt; nothing sent"),
        (["config"], b"", 2, "missing command: one of path, show, check; see llmcli config --help"),
        (["config", "shwo"], b"", 2, "no such command 'shwo'"),
        (["config", "show", "--x"], b"", 2, "see llmcli config show --help"),
        (["ask", "-", "-n"], b"x", 2, "-n forbids it"),
        (["ask", "-f", "missing.txt", "hi"], b"", 66, "cannot read missing.txt: No such file"),
        (["ask", "-f", ".", "hi"], b"", 66, "cannot read .: Is a directory"),
        (["ask", "-s", "@missing", "hi"], b"", 66, "cannot read missing"),
        (["ask", "--messages", "missing", "hi"], b"", 66, "cannot read missing"),
        (
            ["ask", "what?"],
            b"caf\xe9\x00\xff",
            65,
            "stdin is binary: byte 0xe9 at offset 3",
        ),
        (["ask", "what?"], b"ab\x00cd", 65, "stdin is binary: byte 0x00 at offset 2"),
        (
            ["ask", "what?"],
            PNG,
            65,
            "is a PNG image, not text: byte 0x89 at offset 0; give it",
        ),
        (["ask", b"caf\xe9"], b"", 65, "PROMPT is not UTF-8 text: byte 0xe9 at offset 3"),
        (["ask", "--max-input", "5", "hi"], b"123456", 65, "input larger than 5 bytes"),
        (["ask", "--max-input", "1k", "hi"], b"x" * 1025, 65, "larger than 1024 bytes"),
        (["ask", "--max-input", "lots", "hi"], b"", 2, "such as 64M"),
        (["ask", "--messages", "-"], b"[{]", 65, "stdin is not JSON"),
        (["ask", "--messages", "-"], b'{"a": 1}', 65, "must be a list of messages"),
        (["ask", "--messages", "-"], b'[{"role": "boss"}]', 65, "message 0: role 'boss'"),
        (["ask", "--messages", "-"], b'[{"role": "user"}]', 65, "message 0: content"),
        (["ask", "--messages", "-", "-s", "x"], b'[{"role":"system","content":"s"}]', 2, "drop -s"),
        (["ask", "--base-url", "ftp://x", "hi"], b"", 78, "https:// or http://"),
        (["ask", "--base-url", "http://u:p@x", "hi"], b"", 78, "must not hold credentials"),
        (["ask", "--base-url", f"http://{'x' * 64}.test", "hi"], b"", 78, "no valid host"),
        (["ask", "--base-url", "http://a..b/", "hi"], b"", 78, "no valid host"),
        (["ask", "--base-url", "http://x:99999", "hi"], b"", 78, "base_url"),
        (["ask", "--base-url", "http://[::1", "hi"], b"", 78, "base_url"),
    ],
)
def test_bad_input_is_one_line_and_sends_nothing(
    run: Run, server: Server, arguments: list[str | bytes], stdin: bytes, code: int, says: str
) -> None:
    done = run(*arguments, input=stdin)
    line = one_line(done.stderr)
    assert line.startswith("llmcli: ")
    assert says in line
    assert (done.returncode, done.stdout) == (code, b"")
    assert server.requests == []


def test_endless_input_is_refused(run: Run, server: Server) -> None:
    with Path("/dev/zero").open("rb") as zeros:
        done = run("ask", "--max-input", "1M", "hi", stdin=zeros)
    assert done.returncode == 65
    assert "input larger than 1 MiB" in one_line(done.stderr)
    assert server.requests == []

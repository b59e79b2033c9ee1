"""A hundred lines that people type: what is asked, what is a command, and what is refused."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.program import PROGRAM, Run, one_line

# The line, and the prompt that is sent. `text |` in front puts "text" on stdin.
ASKED = {
    # several words, or a blank in one
    "'Name three uses of a brick'": "Name three uses of a brick",
    "name three uses of a brick": "name three uses of a brick",
    "model a cat in ascii": "model a cat in ascii",
    "maps of old France please": "maps of old France please",
    "what is up": "what is up",
    "hello world": "hello world",
    "'models '": "models ",
    "'task list'": "task list",
    "'maps'' of France'": "maps of France",
    "keys of a piano": "keys of a piano",
    "key signatures explained": "key signatures explained",
    "chat about trees": "chat about trees",
    "version control in brief": "version control in brief",
    "logs are what": "logs are what",
    "login pages of banks": "login pages of banks",
    "hi -q": "hi",
    "hi there -q": "hi there",
    "tell me -m x more": "tell me more",
    # options in front are those of ask
    "--model x 'say hi'": "say hi",
    "--model=x hi": "hi",
    "-m x hi": "hi",
    "-mx hi": "hi",
    "-qn hi": "hi",
    "-qmx hi": "hi",
    "-q -s short hello": "hello",
    "-s config hi": "hi",
    "-s help hi": "hi",
    "-o user=models hi": "hi",
    "-f a.txt summarize": '<file name="a.txt">\nmodels\n</file>\n\nsummarize',
    "-f a.txt": '<file name="a.txt">\nmodels\n</file>',
    "--tag models hi": "hi",
    "--no-stdin hi": "hi",
    "-n hi": "hi",
    "-q ask hi": "hi",
    "-q ask modles": "modles",
    "--temperature 0 ask hi there": "hi there",
    "-q ask -n -- -x": "-x",
    # behind -- nothing is a command
    "-- models": "models",
    "-- hello": "hello",
    "-- modles": "modles",
    "-q -- models": "models",
    "-- help me": "help me",
    "-- -x is what": "-x is what",
    # the command in front
    "ask hi": "hi",
    "ask models": "models",
    "ask modles": "modles",
    "ask help": "help",
    "ask -- --help": "--help",
    "ask keys set": "keys set",
    # text on stdin
    "text | ": "text",
    "text | -": "text",
    "text | -q": "text",
    "text | summarize": "text\n\nsummarize",
    "text | translate": "text\n\ntranslate",
    "text | version": "text\n\nversion",
    "text | -n summarize": "summarize",
    "text | what changed": "text\n\nwhat changed",
    "text | 'sum of {stdin}'": "sum of text",
    "text | ask modles": "text\n\nmodles",
}

# The line, and what is on stdout or stderr of the command that runs.
COMMANDS = {
    "usage": "nothing recorded",
    "usage --by tag": "nothing recorded",
    "-q usage": "no such option: -q; see llmcli usage --help",
    "config path": "config.toml",
    "config show": "LLMCLI_MODEL",
    "--profile home config path": "no such option: --profile; see llmcli config path",
    "--profile home config show": "unknown profile 'home'",
    "--profile home models": "unknown profile 'home'",
    "--profile=home models": "unknown profile 'home'",
    "--base-url http://127.0.0.1:9/v1 models": "127.0.0.1:9",
    "session list": "",
    "template list": "",
    "local list": "no embedded model",
    "local news of today": "no such command 'news'",
    "text | -m x map --dry-run": "1 request",
    "completion bash": "complete -F _llmcli llmcli",
    "help": "llmcli help TOPIC shows a page of the manual:",
    "help ask": "Usage: llmcli ask",
    "help config": "Usage: llmcli config",
    "help config show": "Usage: llmcli config show",
    "help help": "Usage: llmcli help",
    "-q help": "no such option: -q; see llmcli help --help",
    "text | help map": "# map: one answer for each line",
    "--help": "Usage: llmcli [OPTIONS]",
    "-h": "Usage: llmcli [OPTIONS]",
    "--version": "llmcli ",
    "ask --help": "Usage: llmcli ask",
    "-q --help": "Usage: llmcli ask",
}

NEAR = "no such command: {}; did you mean `llmcli {}`? To ask the model: `llmcli ask {}`"
ALONE = "no such command: {0}; to ask the model, put `ask` first: `llmcli ask {0}`"
KEYS = "set LLMCLI_API_KEY, or api_key_file or api_key_command in config.toml"
# The line, and what the message says.
REFUSED = {
    # nearly a command: alone, the first of two words, or with what belongs to the command
    "modles": NEAR.format("modles", "models", "modles"),
    "model": NEAR.format("model", "models", "model"),
    "modelss": "`llmcli models`",
    "mdoels": "`llmcli models`",
    "text | modles": "`llmcli models`",
    "-q modles": "`llmcli models`",
    "modles -q": "`llmcli models`",
    "asks": "`llmcli ask`",
    "usgae": "`llmcli usage`",
    "helpp": "`llmcli help`",
    "hepl map": "`llmcli help`",
    "completions": "`llmcli completion`",
    "completions bash": "`llmcli completion`",
    "mpa 'Translate {}'": NEAR.format("mpa", "map", "mpa …"),
    "text | mpa 'Translate {}'": "`llmcli map`",
    "mpa --files '*.py' 'Explain it'": "`llmcli map`",
    "mpa --json tell me more": "`llmcli map`",
    "sesion list": "`llmcli session`",
    "sessions show a b": "`llmcli session`",
    "sesion show trip": "`llmcli session`",
    "usge --by tag": "`llmcli usage`",
    "usage2 --since 7d --csv": "`llmcli usage`",
    "confg show": "`llmcli config`",
    "configs check --profile home": "`llmcli config`",
    "templat edit greet": "`llmcli template`",
    "locla pull": "`llmcli local`",
    "task list": "`llmcli ask`",
    # a single word alone
    "hello": ALONE.format("hello"),
    "summarize": ALONE.format("summarize"),
    "hi": ALONE.format("hi"),
    "version": "use `llmcli --version`; to ask the model, put `ask` first: `llmcli ask version`",
    "chat": "keep a conversation with --session NAME",
    "login": KEYS,
    "keys": KEYS,
    "doctor": "`llmcli config check`",
    # never sent to a model
    "help me": "no such topic or command: me; `llmcli help` lists all",
    "help what is a brick": "no such topic or command: what is a brick; `llmcli help` lists all",
    "help modles": "did you mean models?",
    "text | help me": "no such topic or command: me",
    "keys set openai": "no such command: keys set; keys are read, never given on a command line: ",
    "key list": KEYS,
    "auth login": KEYS,
    # nothing to ask
    "": "empty prompt; nothing sent",
    "''": "empty prompt; nothing sent",
    "-n": "no prompt; llmcli \"your question\"; see llmcli --help",
}  # fmt: skip


def run_line(run: Run, tmp_path: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    (tmp_path / "a.txt").write_text("models\n")
    stdin, bar, rest = line.partition(" | ")
    words = shlex.split(rest if bar else line)
    return run(*words, input=stdin.encode() if bar else b"")


def test_there_are_more_than_a_hundred() -> None:
    assert len(ASKED) + len(COMMANDS) + len(REFUSED) > 100


@pytest.mark.parametrize("line", ASKED)
def test_asked(run: Run, server: Server, tmp_path: Path, line: str) -> None:
    done = run_line(run, tmp_path, line)
    assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr
    assert len(server.requests) == 1
    assert server.requests[0].json["messages"][-1]["content"] == ASKED[line]


@pytest.mark.parametrize("line", COMMANDS)
def test_command(run: Run, server: Server, tmp_path: Path, line: str) -> None:
    done = run_line(run, tmp_path, line)
    assert COMMANDS[line].encode() in done.stdout + done.stderr
    assert not [request for request in server.requests if request.method == "POST"]


@pytest.mark.parametrize("line", REFUSED)
def test_refused(run: Run, server: Server, tmp_path: Path, line: str) -> None:
    done = run_line(run, tmp_path, line)
    assert (done.returncode, done.stdout) == (2, b"")
    assert REFUSED[line] in one_line(done.stderr)
    assert server.requests == []


def test_a_word_alone_waits_for_the_beginning_of_stdin(
    endpoint: Callable[[Script], Server], env: dict[str, str]
) -> None:
    server = endpoint(answer("ok"))
    with subprocess.Popen(
        [PROGRAM, "summarize"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stderr
        assert process.stderr.readline() == b"llmcli: waiting for stdin; -n ignores it\n"
        process.stdin.write(b"text")
        process.stdin.close()
        assert process.wait(60) == 0
    assert server.requests[0].json["messages"][-1]["content"] == "text\n\nsummarize"


@pytest.mark.parametrize("name", ["/dev/null", "empty", "closed"])
def test_a_word_alone_without_stdin(run: Run, server: Server, tmp_path: Path, name: str) -> None:
    if name == "closed":
        done = run("hello", stdin=None, preexec_fn=lambda: os.close(0))
    else:
        path = tmp_path / name if name == "empty" else Path(name)
        path.touch()
        with path.open("rb") as file:
            done = run("hello", stdin=file)
    assert done.returncode == 2
    assert ALONE.format("hello") in one_line(done.stderr)
    assert server.requests == []

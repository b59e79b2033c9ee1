"""What people type by the habits of other programs: each line gets the one that leads on."""

import shlex
from pathlib import Path

import pytest

from llmcli.cli import habits
from llmcli.cli.app import load_command
from tests.support.endpoint import Server
from tests.support.program import Run, one_line

TALK = "keep a conversation with --session NAME, and go on with -c"
KEYS = "keys are read, never given on a command line: set LLMCLI_API_KEY"
RUN_IT = 'print the command, look at it, then run it: llmcli -x "…"'
MODELS = "`llmcli models gpt` lists those with gpt in their id; -m, or `model = …` in config.toml"

# The line behind `llmcli`, and what the message says.
LINES = {
    # llm
    "-T llm_time 'what time is it'": "-T; use --tools FILE, with --run-tools",
    "--td hi": "--td; use -v/--verbose",
    "--sf system.txt hi": "--sf; use -s @FILE",
    "--schema-multi 'name, age' hi": "--schema-multi; use --schema FILE",
    "--xl hi": "--xl; use --block last",
    "-u hi": "-u; the usage line is on stderr anyway; --usage-file FILE keeps it",
    "--at image.png image/png hi": "--at; use -f/--file, which finds out the type",
    "--no-log hi": "--no-log; use --no-ledger; prompts and answers are not kept anyway",
    "--async hi": "in a loop or a pipe use `llmcli map`",
    "models default gpt-4o": MODELS,
    "plugins": "see `llmcli help install`",
    "aliases": "see `llmcli help providers`",
    "fragments": "give files with -f",
    "embed": "llmcli asks for completions only",
    "logs": "use `llmcli session list` for conversations, `llmcli usage` for costs",
    # shell-gpt
    "--shell 'list files'": RUN_IT,
    "--code 'hello world in c'": "--code; use -x, which prints only the fenced block",
    "--describe-shell 'ls -la'": RUN_IT,
    "--repl temp": TALK,
    "--show-chat temp": "--show-chat; use `llmcli session show NAME`",
    "--list-chats": "--list-chats; use `llmcli session list`",
    "--create-role x": "--create-role; use `llmcli template edit NAME`",
    "--list-roles": "--list-roles; use `llmcli template list`, and -t NAME",
    "--editor": "write it into a file: llmcli < FILE",
    "--no-md hi": "--no-md; answers are plain text",
    "--no-cache hi": "answers are not kept",
    "--install-integration": "`llmcli completion SHELL`",
    # aichat
    "-e 'list files'": RUN_IT,
    "-r coder hi": "-r; use `llmcli template list`, and -t NAME",
    "--rag docs hi": "--rag; use -f/--file",
    "--agent x hi": "--agent; use --tools FILE",
    "--empty-session hi": TALK,
    "--list-sessions": "`llmcli session list`",
    "--sync-models": "`llmcli models --refresh`",
    "--serve": "llmcli is no server",
    "--info": "use `llmcli config show`",
    # mods
    "-C hi": "-C; use -c/--continue",
    "--continue-last hi": "use -c/--continue",
    "--title trip hi": TALK,
    "-l": "-l; use `llmcli session list`",
    "--show-last": "`llmcli session show NAME`",
    "--delete-older-than 10d": "`llmcli session remove NAME`",
    "--settings": 'edit the file: `$EDITOR "$(llmcli config path)"`',
    "--format-as json hi": "use --json, or --events",
    "--no-limit hi": "use --max-input SIZE",
    "--word-wrap 80 hi": "answers are plain text",
    "--http-proxy http://proxy hi": "set HTTPS_PROXY",
    "--topp 0.5 hi": "--topp; use --top-p",
    "--topk 5 hi": "by -o KEY=VALUE",
    # curl
    "-X POST hi": "llmcli sends what the API wants; --curl shows it",
    "-H 'Authorization: Bearer sk-secret-typed' hi": "-H; use --header 'NAME: VALUE'",
    "-d '{\"top_k\": 5}' hi": "give other fields of the request by -o KEY=VALUE",
    "-L hi": "redirects are not followed",
    "--insecure hi": "set ca_file",
    "--cacert ca.pem hi": "set ca_file",
    "--cert me.pem hi": "set client_cert",
    "--fail hi": "each kind of failure has an exit code anyway",
    "-o out.txt hi": "-o 'out.txt' is not KEY=VALUE; a file to write is -O out.txt",
    # the CLI of openai
    "api -g user hi": "-g; PROMPT needs no option",
    "-M 100 hi": "-M; use -m/--model, or --max-tokens N",
    "--organization x hi": "use --header 'OpenAI-Organization: …'",
    "--azure-endpoint https://x hi": "use --profile azure",
    "--api-version 2024-10-21 hi": "--base-url 'https://…?api-version=…'",
    "--log-level debug hi": "use -v/--verbose",
    # others, and no suggestion that is nothing but alike
    "-?": "use `llmcli --help`",
    "--colour hi": "no such option: --colour; see llmcli ask --help",
    "--dataset hi": "no such option: --dataset; see llmcli ask --help",
    "whoami": "use `llmcli config check`",
    "budget": "see `llmcli help money`",
    "upgrade": "see `llmcli help install`",
    "new": TALK,
    "usage --today": "--today; use --since 1d",
    "usage --last 7d": "--last; use --since 7d",
    "usage --month": "use --since 2026-11, or --by month",
    "models --search gpt": "--search; use `llmcli models QUERY`",
    "session last": "use `llmcli session show`, which shows the last one; llmcli session has list",
    "session lst": "did you mean list? llmcli session has list, show",
    "local models": "use `llmcli local list`",
    "map --concurrency 5 'x {}'": "--concurrency; use -j/--jobs N",
    "map --input in.csv 'x {a}'": "give the input on stdin: llmcli map … < FILE",
    "map --limit 5 'x {}'": "head -n 5 FILE | llmcli map …",
    "map --column text x": "write {NAME} in the prompt",
    "map --continue 'x {}'": "--continue; use --resume",
    "map --rate-limit 60 'x {}'": "use --rpm N",
    "map in.csv 'x {a}'": "the word in.csv names a file; give the records with < in.csv",
}


@pytest.mark.parametrize("line", LINES)
def test_a_habit_leads_on(run: Run, server: Server, tmp_path: Path, line: str) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    done = run(*shlex.split(line))
    assert (done.returncode, done.stdout, server.requests) == (2, b"", [])
    assert LINES[line] in one_line(done.stderr)
    assert b"secret-typed" not in done.stderr


def test_there_are_more_than_fifty() -> None:
    assert len(LINES) > 50


@pytest.mark.parametrize("command", ["ask", "map", "models", "usage"])
def test_no_habit_hides_an_option_of_the_command(command: str) -> None:
    known = {name for parameter in load_command(command).params for name in parameter.opts}
    assert (
        not {name for names in habits._IN_COMMAND.get(command, {}).values() for name in names}
        & known
    )
    if command == "ask":
        assert not {name for names in habits._INSTEAD.values() for name in names} & (
            known - {"--version"}
        )


def test_each_habit_has_one_hint() -> None:
    for table in (habits._INSTEAD, *habits._IN_COMMAND.values()):
        names = [name for several in table.values() for name in several]
        assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})

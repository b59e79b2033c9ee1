"""The errors of a person's first week: each says what is wrong, on what, and what to do next."""

# ruff: noqa: E501  # a row of the table is one line

import re
import shlex
from typing import Any

import pytest

from tests.support.endpoint import Server
from tests.support.program import Run, one_line

KEYS = (
    "keys are read, never given on a command line: set LLMCLI_API_KEY, or api_key_file or "
    "api_key_command in config.toml; see `llmcli config check`"
)
EDIT = 'edit the file: `$EDITOR "$(llmcli config path)"`, or set a variable such as LLMCLI_MODEL'
TALK = "keep a conversation with --session NAME, and go on with -c"
TIME = "a time in seconds, or such as 90s, 5m or 1.5h"
NO_OPTION = "no such option: "
ASK = "; see llmcli ask --help"

# The command line behind `llmcli`, the environment, the exit code and the whole message.
ERRORS: list[tuple[str, dict[str, str], int, str]] = [
    # options of other programs
    ("-V", {}, 2, NO_OPTION + "-V; use `llmcli --version`"),
    ("-q --version", {}, 2, NO_OPTION + "--version; it stands alone: `llmcli --version`"),
    ("--api-key sk-secret-typed hi", {}, 2, NO_OPTION + f"--api-key; {KEYS}"),
    ("--api-key=sk-secret-typed hi", {}, 2, NO_OPTION + f"--api-key; {KEYS}"),
    ("ask hi --api_key sk-secret-typed", {}, 2, NO_OPTION + f"--api_key; {KEYS}"),
    ("--key sk-secret-typed hi", {}, 2, NO_OPTION + f"--key; {KEYS}"),
    ("-k sk-secret-typed hi", {}, 2, NO_OPTION + f"-k; {KEYS}"),
    ("-ksk-secret-typed hi", {}, 2, NO_OPTION + f"-k; {KEYS}"),
    ("--token sk-secret-typed hi", {}, 2, NO_OPTION + f"--token; {KEYS}"),
    ("--openai-api-key sk-secret-typed hi", {}, 2, NO_OPTION + f"--openai-api-key; {KEYS}"),
    ("models --api-key sk-secret-typed", {}, 2, NO_OPTION + f"--api-key; {KEYS}"),
    ("map --api-key sk-secret-typed x", {}, 2, NO_OPTION + f"--api-key; {KEYS}"),
    ("config check --key sk-secret-typed", {}, 2, NO_OPTION + f"--key; {KEYS}"),
    (
        "--stream hi",
        {},
        2,
        NO_OPTION + "--stream; answers are streamed anyway; --no-stream turns that off",
    ),
    (
        "--output-format json hi",
        {},
        2,
        NO_OPTION + "--output-format; use --json, or --events as it streams",
    ),
    ("--format json hi", {}, 2, NO_OPTION + "--format; use --json, or --events as it streams"),
    ("--system-prompt x hi", {}, 2, NO_OPTION + "--system-prompt; use -s/--system"),
    ("--image a.png hi", {}, 2, NO_OPTION + "--image; use -f/--file"),
    ("-a a.png hi", {}, 2, NO_OPTION + "-a; use -f/--file"),
    ("--url http://x hi", {}, 2, NO_OPTION + "--url; use --base-url"),
    ("--timeout 5 hi", {}, 2, NO_OPTION + "--timeout; use --deadline 5m"),
    ("--chat", {}, 2, NO_OPTION + f"--chat; {TALK}"),
    ("--prompt hi", {}, 2, NO_OPTION + "--prompt; PROMPT needs no option"),
    ("--list-models", {}, 2, NO_OPTION + "--list-models; use `llmcli models`"),
    ("--debug hi", {}, 2, NO_OPTION + "--debug; use -v/--verbose"),
    (
        "--provider openai hi",
        {},
        2,
        NO_OPTION + "--provider; choose a profile of config.toml with --profile, or give --base-url",
    ),
    ("--top-k 5 hi", {}, 2, NO_OPTION + "--top-k; give other fields of the request by -o KEY=VALUE"),
    # options that are nearly right
    ("--temp 0.5 hi", {}, 2, NO_OPTION + "--temp; use --temperature"),
    ("--temperatur 0 hi", {}, 2, NO_OPTION + "--temperatur; did you mean --temperature?"),
    ("--modle x hi", {}, 2, NO_OPTION + "--modle; did you mean --model?"),
    ("--max_tokens 5 hi", {}, 2, NO_OPTION + "--max_tokens; did you mean --max-tokens?"),
    ("--max-tok 5 hi", {}, 2, NO_OPTION + "--max-tok; did you mean --max-tokens?"),
    ("--syst x hi", {}, 2, NO_OPTION + "--syst; did you mean --system?"),
    ("ask --xyz hi", {}, 2, NO_OPTION + "--xyz" + ASK),
    ("usage --bye tag", {}, 2, NO_OPTION + "--bye; did you mean --by?"),
    ("config show --profil x", {}, 2, NO_OPTION + "--profil; did you mean --profile?"),
    # values
    ("--temperature hot hi", {}, 2, "--temperature must be a number, not 'hot'"),
    ("--max-tokens many hi", {}, 2, "--max-tokens must be a whole number from 1, not 'many'"),
    ("--max-tokens 0 hi", {}, 2, "--max-tokens must be a whole number from 1, not 0"),
    ("--seed 1.5 hi", {}, 2, "--seed must be a whole number, not '1.5'"),
    ("--retries two hi", {}, 2, "--retries must be a whole number, not 'two'"),
    ("--retries 11 hi", {}, 2, "--retries must be from 0 to 10, not 11"),
    ("--deadline soon hi", {}, 2, f"--deadline must be {TIME}, not soon"),
    ("--idle-timeout 5x hi", {}, 2, f"--idle-timeout must be {TIME}, not 5x"),
    ("map -j no x", {}, 2, "--jobs must be a whole number from 1, not 'no'"),
    (
        "usage --by moon",
        {},
        2,
        "--by must be one of day, week, month, model, tag, session, profile, command, not 'moon'; "
        "did you mean month?",
    ),
    ("usage --since yesterday", {}, 2, "--since 'yesterday' is not a valid day; such as 2026-11-24 or 7d"),
    ("hi -m", {}, 2, "-m needs a value behind it" + ASK),
    ("hi --json=yes", {}, 2, "--json takes no value" + ASK),
    ("-o temperature 0.5 hi", {}, 2, "-o 'temperature' is not KEY=VALUE; write -o temperature=VALUE"),
    ("-o model=x hi", {}, 2, "-o model cannot be set; use -m"),
    (
        "--header Bearer-sk-secret-typed hi",
        {},
        2,
        "--header must be NAME=VALUE or 'NAME: VALUE'; such as --header 'X-Team: blue'",
    ),
    ("--max-input lots hi", {}, 2, "--max-input 'lots' is not a valid size; give a number of bytes such as 64M"),
    # prompts and files
    ("-p 'say hi'", {}, 2, "-p gives a template's variable, and there is no template; name the template with -t; a prompt needs no option"),
    ("-t 0.7 hi", {}, 66, "there is no template 0.7; the temperature is --temperature 0.7"),
    ("-t review hi", {}, 66, "there is no template review; see `llmcli template list`"),
    ("-f https://u:pw@example.org/a hi", {}, 2, "https://… is a URL, and only files are read; pipe it in: curl -s URL | llmcli \"…\""),
    ("-f missing.txt hi", {}, 66, "cannot read missing.txt: No such file or directory"),
    ("-f . hi", {}, 66, "cannot read .: Is a directory"),
    ("-c hi", {}, 66, "there is no session to go on with; begin one with --session NAME; a plain ask is not kept"),
    ("--json --events hi", {}, 2, "--json and --events exclude each other"),
    # commands
    ("modles", {}, 2, "no such command: modles; did you mean `llmcli models`? To ask the model: `llmcli ask modles`"),
    ("hello", {}, 2, "no such command: hello; to ask the model, put `ask` first: `llmcli ask hello`"),
    ("keys set openai", {}, 2, f"no such command: keys set; {KEYS}"),
    ("keys set sk-secret-typed", {}, 2, f"no such command: keys set; {KEYS}"),
    ("config set model x", {}, 2, f"no such command 'set'; {EDIT}; llmcli config has path, show, check"),
    ("config get model", {}, 2, "no such command 'get'; use `llmcli config show`; llmcli config has path, show, check"),
    ("session ls", {}, 2, "no such command 'ls'; use `llmcli session list`; llmcli session has list, show, export, remove"),
    ("config", {}, 2, "missing command: one of path, show, check; see llmcli config --help"),
    ("template show", {}, 2, "missing TEMPLATE: llmcli template show TEMPLATE; see llmcli template show --help"),
    ("usage today", {}, 2, "unexpected extra argument of llmcli usage: today; see llmcli usage --help"),
    ("help me", {}, 2, "no such topic or command: me; `llmcli help` lists all"),
    # variables
    ("ask hi", {"LLMCLI_DEADLINE": "soon"}, 78, f"LLMCLI_DEADLINE must be {TIME}, not 'soon'"),
    ("ask hi", {"LLMCLI_TEMPERATURE": "hot"}, 78, "LLMCLI_TEMPERATURE must be a number, not 'hot'"),
    ("ask hi", {"LLMCLI_QUIET": "maybe"}, 78, "LLMCLI_QUIET must be true or false, not 'maybe'"),
    ("ask hi", {"LLMCLI_BASE_URL": "example.org"}, 78, "base_url 'example.org' must begin with https:// or http://"),
    ("ask hi", {"LLMCLI_CONFIG": "/no/where.toml"}, 78, "LLMCLI_CONFIG names /no/where.toml, which does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "variables", "code", "message"), ERRORS)
def test_each_error_says_what_on_what_and_what_next(
    run: Run,
    server: Server,
    env: dict[str, str],
    line: str,
    variables: dict[str, str],
    code: int,
    message: str,
) -> None:
    done = run(*shlex.split(line), env={**env, **variables})
    assert one_line(done.stderr) == f"llmcli: {message}"
    assert done.returncode == code
    assert not server.requests
    assert "secret-typed" not in (done.stdout + done.stderr).decode()


def test_there_are_seventy() -> None:
    assert len({(line, *variables) for line, variables, _, _ in ERRORS}) >= 70


@pytest.mark.parametrize("form", ["--json", "--events"])
def test_a_key_typed_by_mistake_stands_in_no_object(run: Run, form: str) -> None:
    done = run("ask", form, "--api-key", "sk-secret-typed", "hi")
    assert done.returncode == 2
    assert b"secret-typed" not in done.stdout + done.stderr
    assert b"LLMCLI_API_KEY" in done.stdout


def test_times_in_options_variables_and_settings(
    run: Run, env: dict[str, str], config: Any
) -> None:
    for text, seconds in {
        **{"90": 90, "90s": 90, "5m": 300, "1h": 3600, "1.5h": 5400, "1h30m": 5400, ".5m": 30},
        **{"500ms": 0.5, "0": 0, "1d": 86400, "2H": 7200},
    }.items():
        done = run("config", "show", env={**env, "LLMCLI_DEADLINE": text})
        assert re.search(rf"deadline +{float(seconds)} ", done.stdout.decode()), text
        assert run("ask", "-m", "m", "--dry-run", "--deadline", text, "hi").returncode == 0
    config('deadline = "2m"\nidle_timeout = 5\n')
    shown = run("config", "show").stdout.decode()
    assert re.search(r"deadline +120.0 ", shown) and re.search(r"idle_timeout +5.0 ", shown)
    config("deadline = true\n")
    assert "deadline must be a time" in one_line(run("usage").stderr)


def test_a_header_as_curl_takes_it(run: Run, server: Server) -> None:
    run("ask", "--header", "X-A: b=c", "--header", "X-D=e: f", "--header", "X-G:h", "hi")
    headers = server.requests[0].headers
    assert (headers["x-a"], headers["x-d"], headers["x-g"]) == ("b=c", "e: f", "h")


def test_quiet_is_a_setting(run: Run, server: Server, env: dict[str, str], config: Any) -> None:
    assert run("ask", "hi").stderr != b""
    assert run("ask", "hi", env={**env, "LLMCLI_QUIET": "1"}).stderr == b""
    config("quiet = true\n")
    assert run("ask", "hi").stderr == b""
    assert run("map", "{}", input=b"a\n").stderr == b""
    assert run("ask", "hi", env={**env, "LLMCLI_QUIET": "false"}).stderr != b""

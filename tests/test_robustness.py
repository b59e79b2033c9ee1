"""Odd values from users, servers and surroundings, each found by somebody who tried to break it."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import KEY, PROGRAM, Run, one_line
from .fakes import Request, Script, Server, Wire, answer, chunk

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]

DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[profile.home]\n", "a table of settings is [profiles.NAME]"),
        ("profile = 5\n", "profile must be the name of one"),
        (f"seed = {DIGITS}\n", "config.toml"),
        (f"stop = {'[' * 5000}\n", "config.toml"),
        ("[options]\nd = 1979-05-27\n", "options must be JSON"),
        ("[options]\nx = nan\n", "options must be JSON"),
        ("[options]\nmessages = []\n", "options cannot hold messages"),
        ("deadline = inf\n", "deadline cannot be inf"),
        ("idle_timeout = nan\n", "idle_timeout cannot be nan"),
        ("connect_timeout = 0\n", "connect_timeout cannot be 0.0; 0.001 to"),
        ("max_tokens = -5\n", "max_tokens cannot be -5"),
        ("retries = -5\n", "retries cannot be -5"),
        ('headers = ["Authorization: sk-LEAKED"]\n', "headers must be a table"),
        ('headers = { Content-Length = "5" }\n', "the header Content-Length is set by llmcli"),
    ],
)
def test_odd_settings(run: Run, endpoint: Endpoint, config: Config, text: str, says: str) -> None:
    server = endpoint(answer("x"))
    config(text).chmod(0o600)
    done = run("ask", "hi")
    line = one_line(done.stderr)
    assert (done.returncode, server.requests) == (78, []), line
    assert says in line and "sk-LEAKED" not in line


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ('api_key_command = "pass \'x"', "api_key_command cannot be run: No closing quotation"),
        ('api_key_command = ["yes"]', "printed 65536 bytes: that is no key"),
        ('api_key_file = "a\\u0000b"', "cannot read api_key_file"),
    ],
)
def test_odd_keys(
    run: Run, endpoint: Endpoint, config: Config, env: dict[str, str], setting: str, says: str
) -> None:
    server = endpoint(answer("x"))
    del env["LLMCLI_API_KEY"]
    config(f'base_url = "{server.base_url}"\n{setting}\n')
    done = run("ask", "hi")
    assert done.returncode == 78
    assert says in one_line(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--temperature", "nan"), 2),
        (("--top-p", "inf"), 2),
        (("--deadline", "inf"), 2),
        (("--deadline", "-1"), 2),
        (("--deadline", "1e300"), 2),
        (("--connect-timeout", "0"), 2),
        (("--idle-timeout", "nan"), 2),
        (("--max-input", DIGITS), 2),
        (("-o", "x=1e999"), 65),
        (("-o", "x=" + "[" * 50_000 + "]" * 50_000), 2),
        (("--messages", "deep.json"), 65),
        (("--messages", "nan.json"), 65),
        (("-m", "local/a\udcff"), 65),
        (("-m", b"\xff"), 65),
        (("-O", "a\udcff/b"), 73),
    ],
)
def test_odd_options(
    run: Run,
    endpoint: Endpoint,
    tmp_path: Path,
    arguments: tuple[str | bytes, ...],
    code: int,
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "nan.json").write_text('[{"role": "user", "content": "x", "n": NaN}]')
    for more in ((), ("--dry-run",)):
        if more and "-O" in arguments:
            continue
        done = run("ask", "hi", *arguments, *more)
        assert (done.returncode, server.requests) == (code, []), done.stderr
        one_line(done.stderr)


def test_odd_names_and_surrogates_are_sent_as_well_as_they_can(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / os.fsdecode(b'a">\xff<b')).write_text("text")
    conversation = '[{"role": "user", "content": "\\ud800"}]'
    for more in ((), ("--dry-run",), ("--curl",)):
        done = run("ask", "-f", b'a">\xff<b', "hi", *more)
        assert done.returncode == 0, done.stderr
        assert run("ask", "--messages", "-", *more, input=conversation.encode()).returncode == 0
    assert '<file name="a&quot;>\ufffd&lt;b">' in server.requests[0].json["messages"][0]["content"]
    assert server.requests[1].json["messages"][0]["content"] == "\ud800"


def test_dev_stdin_is_stdin_once(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "in.txt").write_text("once")
    with (tmp_path / "in.txt").open("rb") as stdin:
        assert run("ask", "-f", "/dev/stdin", "hi", stdin=stdin).returncode == 0
    assert server.only.json["messages"][0]["content"].count("once") == 1


def test_without_a_home_nothing_is_read_from_here(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    for folder in (".config", "~/.config"):
        (tmp_path / folder / "llmcli").mkdir(parents=True)
        (tmp_path / folder / "llmcli/config.toml").write_text("broken")
    for home in (".", "~", ""):
        env["HOME"] = home
        assert run("ask", "hi").returncode == 0
    assert run("config", "path").stdout.startswith(b"/")


def test_a_config_named_but_missing_is_an_error(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    env["LLMCLI_CONFIG"] = "/nonexistent/typo.toml"
    done = run("ask", "hi")
    assert done.returncode == 78
    assert "LLMCLI_CONFIG names /nonexistent/typo.toml" in one_line(done.stderr)


def test_the_deadline_holds_for_reading_the_config(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    os.mkfifo(tmp_path / "config.toml")
    env["LLMCLI_CONFIG"] = str(tmp_path / "config.toml")
    assert run("ask", "--deadline", "1", "hi").returncode == 124


def test_a_locale_without_utf8(
    run: Run, endpoint: Endpoint, env: dict[str, str], config: Config
) -> None:
    server = endpoint(answer("ça"))
    config('system = "日本"\n')
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("ask", "été".encode())
    assert (done.returncode, done.stdout) == (0, "ça\n".encode()), done.stderr
    assert [m["content"] for m in server.only.json["messages"]] == ["日本", "été"]
    assert run("ask", "--help").returncode == 0


def test_curl_cannot_be_made_to_run_commands(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x"))
    done = run("ask", "--curl", "--header", "X-Key$(touch PWNED)=v", "hi")
    assert (done.returncode, done.stdout) == (78, b"")
    done = run("ask", "--curl", "--header", "X-Pass=secret1", "--header", "Session=secret2", "hi")
    assert done.returncode == 0
    assert b"secret1" not in done.stdout and b"secret2" not in done.stdout


# Servers


def test_costs_that_are_none(run: Run, endpoint: Endpoint) -> None:
    costs: list[Any] = ["1e-999999999999999", "1e-300000000", "1e999", -1, "NaN", True, [], DIGITS]
    for cost in costs:
        endpoint(answer("x", usage={"cost": cost, "prompt_tokens": 1048576}))
        done = run("ask", "--json", "hi")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["llmcli"]["cost_usd"] is None
        assert "1048576 in, cost unknown" in one_line(done.stderr)


def test_reasoning_details_of_odd_types(run: Run, endpoint: Endpoint) -> None:
    details = [{"index": [1], "text": 5}, {"index": [1], "text": "s"}, "x", {"index": {}}]

    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.event(chunk(None, delta={"reasoning_details": details, "content": "good"}))
        wire.finish()

    endpoint(script)
    for arguments in ((), ("--json",), ("--events",)):
        done = run("ask", "hi", *arguments)
        assert (done.returncode, b"good" in done.stdout) == (0, True), done.stderr


def test_control_characters_in_json_are_escapes(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("\x9b2J \u202e ok 日本"))
    done = run("ask", "--json", "hi")
    assert b"\\u009b2J \\u202e ok " in done.stdout and "日本".encode() in done.stdout
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "\x9b2J \u202e ok 日本"


def test_lines_of_data_without_end(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.send(b"data: x\n" * 1_500_000 + b"\n")

    endpoint(script)
    done = run("ask", "hi")
    assert done.returncode == 76
    assert "an event of more than 20000 lines" in one_line(done.stderr)


def test_a_refused_proxy_whose_port_looks_like_a_status(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    env |= {"NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:14071", "LLMCLI_ALLOW_HTTP": "1"}
    done = run("ask", "hi", "--base-url", "http://far.invalid", "--retries", "0")
    assert done.returncode == 68
    env["HTTP_PROXY"] = "http://user:pr0#xySECRET@127.0.0.1:1"
    done = run("ask", "hi", "--base-url", "http://far.invalid", "--retries", "0")
    assert done.returncode in (68, 78)
    assert b"pr0" not in done.stderr


def test_show_masks_a_base_url_with_credentials(run: Run, config: Config) -> None:
    config('base_url = "http://u:sk-pass@h/"\n')
    for arguments in ((), ("--json",)):
        assert b"sk-pass" not in run("config", "show", *arguments).stdout


# Output


def flood(wire: Wire, _request: Request) -> None:
    """More than any pipe holds, then silence."""
    wire.head()
    wire.text("x" * 200_000)
    wire.receive()


@pytest.fixture
def full_pipe() -> Any:
    """The writing end of a pipe that nobody reads and that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 65536)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("form", [(), ("--json",), ("--events",)])
@pytest.mark.parametrize("end", ["deadline", "term", "int"])
def test_a_blocked_reader_does_not_keep_it(
    endpoint: Endpoint, env: dict[str, str], full_pipe: int, form: tuple[str, ...], end: str
) -> None:
    server = endpoint(flood)
    arguments = ["ask", "-n", "hi", *form, *(["--deadline", "1"] if end == "deadline" else [])]
    with subprocess.Popen(
        [PROGRAM, *arguments], env=env, stdout=full_pipe, stderr=full_pipe
    ) as run:
        if end != "deadline":
            while not server.requests and "--events" not in form:
                time.sleep(0.01)
            time.sleep(0.5)
            run.send_signal(signal.SIGTERM if end == "term" else signal.SIGINT)
        code = run.wait(20)
    assert code == {"deadline": 124, "term": -signal.SIGTERM, "int": -signal.SIGINT}[end]


def test_a_locked_usage_file_does_not_keep_it(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x"))
    with (tmp_path / "usage").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run("ask", "--deadline", "1", "--usage-file", "usage", "hi", timeout=20)
    assert done.returncode == 124


@pytest.mark.parametrize("form", ["--json", "--events"])
def test_one_object_even_if_the_usage_file_is_full(run: Run, endpoint: Endpoint, form: str) -> None:
    endpoint(answer("x"))
    done = run("ask", form, "--usage-file", "/dev/full", "hi")
    assert done.returncode == 74
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [o for o in objects if "llmcli" in o]
    assert [o["llmcli"]["exit_code"] for o in ends] == [74]
    assert "No space left on device" in one_line(done.stderr)


def test_usage_is_recorded_when_the_reader_goes_away(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer(*["line\n" * 1000] * 200))
    script = '"$0" ask -n --usage-file usage hi | head -1'
    done = subprocess.run(
        ["bash", "-c", script + "; exit ${PIPESTATUS[0]}", PROGRAM],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, b"line\n", b"")
    assert json.loads((tmp_path / "usage").read_text())["exit_code"] == 141


def broken(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("part")
    wire.event({"error": {"message": "gone"}})


def test_output_beside_odd_neighbours(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(broken)
    (tmp_path / "x.part").mkdir()
    done = run("ask", "-O", "x", "--retries", "0", "hi")
    line = one_line(done.stderr)
    kept = line.rpartition("the partial answer is in ")[2].partition(" ")[0].rstrip(";)")
    assert Path(kept).read_text() == "part"
    endpoint(answer("x"))
    assert run("ask", "-O", "я" * 125, "hi").returncode == 0
    done = run("ask", "-O", "same", "--usage-file", "./same", "hi")
    assert done.returncode == 2
    assert "name the same file" in one_line(done.stderr)


def test_events_that_fail_end_on_stdout_if_the_file_must_stay(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(broken)
    done = run("ask", "--events", "-O", "events", "--retries", "0", "hi")
    assert json.loads(done.stdout)["event"] == "end"
    assert "events.part" in one_line(done.stderr)
    assert not (tmp_path / "events").exists()


def test_a_deleted_working_directory(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    script = 'mkdir d; cd d; rmdir ../d; "$0" ask -n -O out hi'
    done = subprocess.run(
        ["sh", "-c", script, PROGRAM], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 73, done.stderr


@pytest.mark.parametrize("command", ["--help", "ask --help", "config path", "config show"])
def test_whatever_is_printed_is_checked(env: dict[str, str], command: str) -> None:
    def shell(redirect: str) -> int:
        script = f'"$0" {command} {redirect}; exit ${{PIPESTATUS[0]}}'
        return subprocess.run(
            ["bash", "-c", script, PROGRAM], env=env, capture_output=True, check=False
        ).returncode

    assert shell("> /dev/full") == 74
    assert shell(">&-") == 74
    assert shell("| sleep 0") in (0, 141)


def test_interrupt_during_start_up_is_silent(env: dict[str, str]) -> None:
    for delay in (0.03, 0.05, 0.08, 0.12):
        with subprocess.Popen(
            [PROGRAM, "ask", "-", "hi"], env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0
            assert process.stderr
            said = process.stderr.read()
        # Before the first line of ours runs Python itself answers, as it likes.
        assert b"llmcli/" not in said, said


def test_key_is_in_no_traceback(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(lambda wire, _: wire.json({"error": {"message": f"bad {KEY}"}}, "401 Who"))
    env["LLMCLI_DEBUG"] = "1"
    for form in ((), ("--json",), ("--events",), ("-v",)):
        done = run("ask", "hi", *form)
        assert KEY.encode() not in done.stdout + done.stderr

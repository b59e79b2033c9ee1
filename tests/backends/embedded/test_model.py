"""The embedded model, for real: the same program, options and promises, without a network."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.program import PROGRAM, Run, one_line

NOTICE = "no key or endpoint configured: using the embedded local/smollm2-135m-instruct"

pytestmark = pytest.mark.embedded


def shell(env: dict[str, str], script: str) -> subprocess.CompletedProcess[bytes]:
    """A pipeline as a user types it, `llmcli` being on PATH."""
    path = f"{Path(PROGRAM).parent}:{env['PATH']}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        env={**env, "PATH": path},
        capture_output=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize(
    "script",
    [
        "printf '3f2a Fix the parser\\n' | llmcli --max-tokens 40 'What changed?'",
        'llmcli ask --max-tokens 20 -s "Answer in French" "Good morning" < /dev/null',
        "llmcli ask --max-tokens 20 hi </dev/null | head -c 1000",
    ],
)
def test_answers_in_a_pipeline(embedded: dict[str, str], script: str) -> None:
    done = shell(embedded, script)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) > 1
    notice, usage = done.stderr.decode().splitlines()
    assert NOTICE in notice
    assert re.search(r"local/smollm2-135m-instruct: \d+ in.*, \d+ out, \$0, \d+\.\d s", usage)


def test_json_for_jq(embedded: dict[str, str]) -> None:
    done = shell(embedded, "llmcli ask -q --json --allow-cut -n hi | jq -e .llmcli.ok")
    assert (done.returncode, done.stdout) == (0, b"true\n")
    assert NOTICE in one_line(done.stderr)  # even with -q


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("arguments", [(), ("--no-stream",)])
def test_object_is_that_of_an_endpoint(
    run: Run, embedded: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = run(
        *("ask", "--json", "-m", "local", "--seed", "1", "--max-tokens", "8", "--allow-cut", "hi"),
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["model"] == "local/smollm2-135m-instruct"
    assert value["choices"][0]["message"]["content"]
    assert value["choices"][0]["finish_reason"] in ("length", "stop")
    assert value["usage"]["completion_tokens"] > 0
    assert value["llmcli"]["cost_usd"] == 0
    assert value["llmcli"]["cost_source"] == "local"
    assert NOTICE not in done.stderr.decode()  # it was asked for by name


def test_events(run: Run, embedded: dict[str, str]) -> None:
    done = run("ask", "--events", "-m", "local", "--max-tokens", "8", "--allow-cut", "hi")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "start"
    assert [e["event"] for e in events[-2:]] == ["usage", "end"]
    text = "".join(e["content"] for e in events if e["event"] == "delta")
    assert text == events[-1]["choices"][0]["message"]["content"] != ""


@pytest.mark.parametrize(
    ("prompt", "options", "code", "says"),
    [
        ("x " * 20000, (), 80, "exceeds the available context size"),
        ("hi", ("-o", 'temperature="x"'), 65, "type must be number"),
        ("hi", ("--max-tokens", "1", "--json"), 86, "answer cut at max_tokens"),
    ],
)
def test_failures_have_the_same_codes(
    run: Run, embedded: dict[str, str], prompt: str, options: tuple[str, ...], code: int, says: str
) -> None:
    done = run("ask", "-q", "-m", "local", *options, input=prompt.encode())
    assert done.returncode == code
    assert says in one_line(done.stderr)


def test_an_image_is_refused_in_words(run: Run, embedded: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = run("ask", "-m", "local", "-f", "x.png", "what is it?")
    assert done.returncode == 65
    assert "the embedded model refuses the request: it cannot see images" in one_line(done.stderr)


STORY = ["ask", "-n", "-q", "-m", "local", "Tell me a very long story", "--temperature", "0"]


def test_interrupt_ends_it_by_the_signal_and_its_port_is_closed_to_others(
    embedded: dict[str, str],
) -> None:
    with subprocess.Popen([PROGRAM, *STORY], env=embedded, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert os.read(process.stdout.fileno(), 100)
        for address in listening(process.pid):
            assert address == "127.0.0.1"
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == -signal.SIGINT


def listening(pid: int) -> list[str]:
    """The IPv4 and IPv6 addresses that the process listens on, from Linux's /proc."""
    inodes = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    addresses = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                number = bytes.fromhex(fields[1].split(":")[0])[::-1]
                addresses.append(".".join(map(str, number)))
    return addresses


def test_deadline_holds(run: Run, embedded: dict[str, str]) -> None:
    done = run(*STORY, "--deadline", "2")
    assert done.returncode == 124
    assert "deadline of 2 s reached" in one_line(done.stderr)


def test_any_other_weights_by_their_path(run: Run, embedded: dict[str, str]) -> None:
    weights = next(Path(embedded["XDG_DATA_HOME"]).rglob("*.gguf"))
    Path("mine.gguf").symlink_to(weights)
    for model in ("local/mine.gguf", f"local/{weights}"):
        done = run("ask", "-m", model, "--max-tokens", "5", "hi")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_files_that_are_no_model(run: Run, embedded: dict[str, str]) -> None:
    Path("text.gguf").write_text("this is not a model")
    Path("half.gguf").write_bytes(b"GGUF" + bytes(1000))
    Path("folder.gguf").mkdir()
    for name, says in {
        "folder.gguf": "cannot read the model folder.gguf: Is a directory",
        "text.gguf": "text.gguf is not a GGUF file",
        "half.gguf": "half.gguf cannot be loaded as a model; the file may be incomplete",
    }.items():
        done = run("ask", "-m", f"local/{name}", "hi")
        assert done.returncode == 78, name
        assert says in one_line(done.stderr)
    done = run("ask", "-m", "local/missing.gguf", "hi")
    assert done.returncode == 66
    assert "the model file missing.gguf does not exist" in one_line(done.stderr)


@pytest.fixture
def without_runtime(env: dict[str, str], home: Path) -> None:
    (home / "sitecustomize.py").write_text("import sys\nsys.modules['xllamacpp'] = None\n")
    env["PYTHONPATH"] = str(home)


def test_without_the_extra_the_ways_out_are_named(run: Run, without_runtime: None) -> None:
    done = run("ask", "hi")
    assert done.returncode == 78
    line = one_line(done.stderr)
    for way in ("LLMCLI_API_KEY", "LLMCLI_BASE_URL", "pip install 'xllamacpp"):
        assert way in line
    done = run("ask", "-m", "local", "hi")
    assert done.returncode == 78
    assert "pip install 'xllamacpp" in one_line(done.stderr)
    done = run("config", "check")
    assert done.returncode == 78
    assert b"pip install 'xllamacpp" in done.stdout


def test_a_model_asked_for_by_name_is_never_replaced(run: Run, embedded: dict[str, str]) -> None:
    done = run("ask", "-m", "vendor/model", "hi")
    assert done.returncode == 78
    assert "no API key and no endpoint is configured; set " in one_line(done.stderr)


def test_check_lists_what_the_embedded_model_needs(run: Run, embedded: dict[str, str]) -> None:
    done = run("config", "check")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "the embedded model (no key or endpoint is configured)" in text
    assert "xllamacpp is installed" in text and ".gguf" in text


def test_ask_needs_no_home(run: Run, embedded: dict[str, str]) -> None:
    for value in ("/proc", "/nonexistent"):
        embedded["HOME"] = value
        assert run("ask", "-m", "local", "--max-tokens", "3", "hi").returncode == 0

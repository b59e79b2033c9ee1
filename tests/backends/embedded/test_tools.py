"""Tools and shapes on the embedded model, for real: it calls a command and uses what it gave."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.conversations import assistant, user
from tests.support.program import CITY, PROGRAM, Run

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": CITY,
    },
    "command": ["sh", "-c", "tee asked | jq -r '\"It is 23 degrees and sunny.\"'"],
}
# It calls no tool of its own accord.
OPTIONS = [
    *("ask", "-n", "-m", "local", "--tools", "tools.json", "--temperature", "0", "--seed", "1"),
    *("-o", 'tool_choice="required"', "-o", "cache_prompt=false"),
]

pytestmark = pytest.mark.embedded


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tools.json").write_text(json.dumps([WEATHER]))


def test_a_real_model_calls_a_real_command_and_uses_its_result(
    run: Run, embedded: dict[str, str]
) -> None:
    done = run(*OPTIONS, "--run-tools", "--events", "How warm is it in Oslo now?")
    assert done.returncode == 0, done.stderr
    assert json.loads(Path("asked").read_text()) == {"city": "Oslo"}
    events = [json.loads(line) for line in done.stdout.splitlines()]
    end = events[-1]
    assert "23 degrees" in end["choices"][0]["message"]["content"]
    assert [turn["tool_calls"] for turn in end["llmcli"]["turns"]] == [["get_weather"], []]
    assert end["llmcli"]["cost_usd"] == 0
    results = [event for event in events if event["event"] == "tool_result"]
    assert [event["content"] for event in results] == ["It is 23 degrees and sunny."]


def test_a_script_answers_its_call(embedded: dict[str, str]) -> None:
    options = " ".join(f"'{option}'" for option in OPTIONS)
    script = f"""
        set -euo pipefail
        call=$("$0" {options} -q --session w "How warm is it in Oslo now?")
        id=$(jq -r .id <<< "$call")
        "$0" ask -n -q -c --tools tools.json --temperature 0 -o cache_prompt=false \
            --tool-result "$id=It is 23 degrees and sunny."
    """
    done = subprocess.run(
        ["bash", "-c", script, PROGRAM], env=embedded, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"23 degrees" in done.stdout


def test_it_answers_by_a_schema(run: Run, embedded: dict[str, str]) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}},
        "required": ["mood"],
        "additionalProperties": False,
    }
    done = run(
        *("ask", "-m", "local", "--schema", json.dumps(schema), "--json", "I love it. My mood?")
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["llmcli"]["parsed"]["mood"] in ("good", "bad")


def test_its_conversations_render_as_by_its_own_template(
    run: Run, embedded: dict[str, str], env: dict[str, str]
) -> None:
    """Ours knows tools; without them it makes the same text, seen by the number of its tokens."""
    weights = next(Path(env["XDG_DATA_HOME"]).rglob("*.gguf"))
    talk = [user("Hi"), assistant("Hello! How can I help?"), user("Say yes")]
    for messages in (talk, [{"role": "system", "content": "Be brief"}, *talk]):
        counts = []
        for model in ("local", f"local/{weights}"):
            done = run(
                *("ask", "-q", "--json", "--allow-cut", "-m", model, "--max-tokens", "1"),
                *("--messages", "-"),
                input=json.dumps(messages).encode(),
            )
            assert done.returncode == 0, done.stderr
            counts.append(json.loads(done.stdout)["usage"]["prompt_tokens"])
        assert counts[0] == counts[1]

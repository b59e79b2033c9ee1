"""A request that is shown instead of sent: its body, and a command for curl."""

import json
import subprocess
from collections.abc import Callable

from tests.support.endpoint import Script, Server, answer
from tests.support.program import KEY, Run

Endpoint = Callable[[Script], Server]


def test_dry_run_prints_the_body_and_sends_nothing(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    del env["LLMCLI_API_KEY"]
    done = run("ask", "--dry-run", "-s", "be kind", "ça va?")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "ça va?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert server.requests == []


def test_curl_command_can_be_run_and_shows_no_secret(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    prompt = 'it\'s $HOME `id` \\ "quoted"\nLLMCLI_BODY ça'
    shown = run("ask", "--curl", "--header", "X-Api-Key=topsecret", prompt)
    assert shown.returncode == 0, shown.stderr
    assert b"topsecret" not in shown.stdout and KEY.encode() not in shown.stdout
    env["LLMCLI_HEADER_X_API_KEY"] = "topsecret"
    done = subprocess.run(["sh", "-c", shown.stdout], env=env, capture_output=True, check=False)
    assert b"data: [DONE]" in done.stdout, done.stderr
    by_curl = server.only
    run("ask", "--header", "X-Api-Key=topsecret", prompt)
    by_llmcli = server.requests[1]
    assert by_curl.json == by_llmcli.json
    for name in ("authorization", "content-type", "x-title", "http-referer", "x-api-key"):
        assert by_curl.headers[name] == by_llmcli.headers[name]

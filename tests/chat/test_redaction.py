"""A key that a server echoes is shown nowhere but in the answer itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, chunk, events
from tests.support.program import KEY, Run

Endpoint = Callable[[Script], Server]
CALL = {
    **{"index": 0, "id": f"id-{KEY}", "type": "function", KEY: KEY},
    "function": {"name": f"f-{KEY}", "arguments": "{}"},
}
ECHO: dict[str, Any] = {
    **{"id": KEY, "model": f"m-{KEY}", "provider": {"token": KEY}, KEY: [KEY]},
    **{"usage": {"prompt_tokens": 1, "note": KEY}, "system_fingerprint": KEY},
}


def answered(form: str) -> Script:
    message = {"content": None, "tool_calls": [CALL], "annotations": [{"by": KEY}]}
    if form == "whole":
        whole = chunk(None, message=message, finish_reason="tool_calls", note=KEY) | ECHO
        return lambda wire, _: wire.json(whole, "200 OK", f"x-request-id: {KEY}")
    piece = chunk(None, delta=message, note=KEY) | ECHO
    return events(piece, chunk("", finish_reason="tool_calls"))


@pytest.mark.parametrize("form", ["whole", "stream"])
@pytest.mark.parametrize("options", [["--json"], ["--events"], [], ["--session", "s"]])
def test_in_what_surrounds_the_answer(
    run: Run, endpoint: Endpoint, home: Path, form: str, options: list[str]
) -> None:
    endpoint(answered(form))
    done = run("ask", "-v", *options, "--usage-file", "u.jsonl", "hi")
    assert done.returncode == 0, done.stderr
    assert KEY.encode() not in done.stdout + done.stderr
    assert b"f-[redacted]" in done.stdout
    kept = [path for path in home.rglob("*") if path.is_file() and path.suffix == ".jsonl"]
    assert kept
    assert not any(KEY in path.read_text() for path in kept)


@pytest.mark.parametrize("options", [["--json"], ["--events"]])
def test_not_in_the_answer_itself(run: Run, endpoint: Endpoint, options: list[str]) -> None:
    endpoint(events(chunk(f"it is {KEY}"), chunk("", finish_reason="stop")))
    done = run("ask", *options, "hi")
    end = json.loads(done.stdout.splitlines()[-1])
    assert end["choices"][0]["message"]["content"] == f"it is {KEY}"


@pytest.mark.parametrize("options", [["--json"], ["--events"]])
def test_in_every_text_of_an_error(run: Run, endpoint: Endpoint, options: list[str]) -> None:
    inner = {"raw": KEY, "list": [KEY, {"deep": f"x {KEY} y"}], KEY: 1}
    error = {"message": f"bad {KEY}", "code": KEY, "param": KEY, "metadata": inner, "more": inner}
    scripts: list[Script] = [
        lambda wire, _: wire.json({"error": error}, "400 X"),
        events({"error": error}),
        events(chunk("some", finish_reason=f"odd {KEY}")),
    ]
    for script in scripts:
        endpoint(script)
        done = run("ask", "--retries", "0", *options, "hi")
        assert KEY.encode() not in done.stdout + done.stderr
        assert b"[redacted]" in done.stdout

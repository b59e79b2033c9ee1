"""Thinking between tags at the beginning of an answer, in any cut of pieces."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.types import DONE
from tests.support.conversations import kept, said
from tests.support.endpoint import Request, Script, Server, Wire, answer, chunk, events
from tests.support.program import Run

Endpoint = Callable[[Script], Server]
THOUGHT = "\n<think>\nlet me see</think>\n\n42 </think>"


def whole(text: str, reason: str = "stop") -> Script:
    message = {"role": "assistant", "content": text}
    return lambda wire, _: wire.json(chunk(None, message=message, finish_reason=reason))


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_it_is_reasoning_however_it_is_cut(run: Run, endpoint: Endpoint, size: int) -> None:
    pieces = [THOUGHT[at : at + size] for at in range(0, len(THOUGHT), size)]
    endpoint(answer(*pieces))
    done = run("ask", "--show-reasoning", "-q", "hi")
    assert done.stdout == b"42 </think>\n"
    assert done.stderr == b"\nlet me see\n"
    message = json.loads(run("ask", "--json", "hi").stdout)["choices"][0]["message"]
    assert (message["content"], message["reasoning"]) == ("42 </think>", "\nlet me see")
    told = [json.loads(line) for line in run("ask", "--events", "hi").stdout.splitlines()]
    for event, text in (("delta", "42 </think>"), ("reasoning", "\nlet me see")):
        assert "".join(one["content"] for one in told if one["event"] == event) == text


@given(st.text("<think/> \n4", max_size=40), st.integers(1, 9), st.booleans())
def test_any_cut_is_read_alike(text: str, size: int, closed: bool) -> None:
    text = f"<think>{text}</think> yes" if closed else text

    def read(pieces: list[str]) -> tuple[str, str, str]:
        accumulator = Accumulator()
        shown = []
        for piece in pieces:
            shown += accumulator.add({"choices": [{"delta": {"content": piece}}]})
        accumulator.add({"choices": [{"finish_reason": "stop"}]})
        accumulator.add(DONE)
        shown += accumulator.end()
        first = accumulator.completion().first
        return first.text, first.reasoning, "".join(delta.text for delta in shown)

    cut = [text[at : at + size] for at in range(0, len(text), size)]
    told, thinking, shown = read(cut)
    assert shown == told
    assert (told, thinking, shown) == read([text])
    if not text.lstrip().startswith("<think>"):
        assert (told, thinking) == (text, "")


def test_whole_replies_sessions_and_map(run: Run, endpoint: Endpoint, home: Path) -> None:
    server = endpoint(whole(THOUGHT))
    assert run("ask", "--no-stream", "--session", "s", "hi").stdout == b"42 </think>\n"
    assert kept(home, "s")[0]["messages"][1]["content"] == "42 </think>"
    run("ask", "-c", "and?")
    assert said(server)[1]["content"] == "42 </think>"
    assert run("map", "x", input=b"a\n").stdout == b"42 </think>\n"


def test_the_setting_leaves_it_in(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(answer(THOUGHT))
    env["LLMCLI_THINK_TAGS"] = "text"
    assert run("ask", "hi").stdout == f"{THOUGHT}\n".encode()
    assert run("map", "x", input=b"a\n").stdout == f"{THOUGHT}\n".encode()
    env["LLMCLI_THINK_TAGS"] = "no"
    done = run("ask", "hi")
    assert done.returncode == 78
    assert b"think_tags must be reasoning or text" in done.stderr


@pytest.mark.parametrize("make", [answer, whole])
def test_tags_that_are_never_closed_are_text(run: Run, endpoint: Endpoint, make: object) -> None:
    text = "\n<think>\nso 42 <b"
    endpoint(make(text))  # type: ignore[operator]
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, f"{text}\n".encode())
    message = json.loads(run("ask", "--json", "hi").stdout)["choices"][0]["message"]
    assert (message["content"], message["reasoning"]) == (text, None)


def test_thinking_that_was_cut_is_no_answer(run: Run, endpoint: Endpoint) -> None:
    endpoint(events(chunk("<think>hm"), chunk("", finish_reason="length")))
    done = run("ask", "--max-tokens", "5", "--json", "hi")
    assert done.returncode == 86
    message = json.loads(done.stdout)["choices"][0]["message"]
    assert (message["content"], message["reasoning"]) == ("", "hm")
    assert run("ask", "--max-tokens", "5", "hi").stdout == b""


def test_what_is_held_back_is_not_lost(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.text("\n <thi")
        wire.end()

    endpoint(script)
    done = run("ask", "--retries", "0", "hi")
    assert (done.returncode, done.stdout) == (85, b"\n <thi")
    endpoint(answer(" \n", "<thin", " ice"))
    assert run("ask", "hi").stdout == b" \n<thin ice\n"

"""The short way for plain events reads as the long one does, and a long answer takes no more."""

import itertools
import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.choice.text_buffer import TextBuffer
from llmcli.api.trace import Trace
from llmcli.api.types import Chunk
from llmcli.backends.http.reply import chunks as reply
from llmcli.backends.http.reply import sse
from llmcli.backends.http.reply.repeated_events import RepeatedEvents
from llmcli.errors import LlmcliError

ODD = [None, "", "x", "y", 0, 1, True, 1.0, [], ["a"], {}, {"a": ["b"]}, {"c": 1}]
PLAIN_TEXT = st.sampled_from(["a", "bc ", "é", "x", "0", "1", ": ", ", "])
ODD_TEXT = st.sampled_from(
    ["", "\ud83d", "\ude00", "z\ud83d", None, ["p"], 5, 'a"b', "\\", "\n", "\x7f", "\u2028"]
)
TEXT = st.one_of(PLAIN_TEXT, PLAIN_TEXT, PLAIN_TEXT, ODD_TEXT)
NAMES = {
    "chunk": ["id", "created", "usage", "error", "data", "x", "provider", "object", "success"],
    "choice": ["index", "finish_reason", "logprobs", "error", "usage", "message", "delta"],
    "delta": [
        "role",
        "refusal",
        "reasoning",
        "reasoning_details",
        "tool_calls",
        "y",
        "content",
        "function_call",
    ],
}
ODD_FORMS = ["data:%s", "event: message\ndata: %s", "data: %s\nid: 5", ":c\ndata: %s"]
BAD_FORMS = ["event: error\ndata: %s", "data: %s}", 'data: %s\ndata: ,"x":1']
FORMS = ["data: %s"] * 8 + ODD_FORMS + BAD_FORMS


def some(place: str) -> st.SearchStrategy[dict[str, Any]]:
    odd = st.dictionaries(
        st.sampled_from(NAMES[place]), st.sampled_from(ODD), min_size=1, max_size=2
    )
    return st.one_of(st.just({}), odd)


@st.composite
def events(draw: st.DrawFn) -> list[bytes]:
    """Frames, each with several texts, in all forms that JSON and events have."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        frame, choice, delta = draw(some("chunk")), draw(some("choice")), draw(some("delta"))
        form, ascii_only = draw(st.sampled_from(FORMS)), draw(st.booleans())
        count = draw(st.sampled_from([1] * 8 + [2, 0]))
        for text in draw(st.lists(TEXT, min_size=3, max_size=7)):
            inner = {**choice, "delta": {"content": text, **delta}}
            body = json.dumps({"choices": [inner] * count, **frame}, ensure_ascii=ascii_only)
            found.append((form % body).encode(errors="replace"))
    return found


def after(count: int, given: list[bytes]) -> list[bytes]:
    """All together but the first."""
    return [*apart(given[:count]), b"".join(apart(given[count:]))]


def apart(given: list[bytes]) -> list[bytes]:
    return [event + b"\n\n" for event in given]


def chunks(blocks: list[bytes]) -> list[Chunk]:
    return [chunk for batch in reply._events(iter(blocks), Trace()) for chunk in batch]


def state(blocks: list[bytes]) -> tuple[Any, ...]:
    """All that is known of an answer when it ends, or fails."""
    accumulator, failure = Accumulator(), ""
    text = thinking = ""
    calls: tuple[Any, ...] = ()
    try:
        for batch in reply._events(iter(blocks), Trace()):
            for chunk in batch:
                for came in accumulator.add(chunk):
                    text += came.text
                    thinking += came.reasoning
                    calls += came.tool_calls
                if accumulator.error:
                    raise accumulator.error
    except LlmcliError as error:
        failure = repr(error)
    completion = accumulator.completion()
    return (text, thinking, calls), failure, completion.first, completion


def assert_read_alike(given: list[bytes]) -> None:
    with patch.object(RepeatedEvents, "learn", lambda *_: None):
        the_long_way = state(apart(given))
    for count in range(len(given)):
        assert repr(state(after(count, given))) == repr(the_long_way)


@settings(max_examples=1000, deadline=None)
@given(events())
def test_plain_events_are_read_as_all_others(given: list[bytes]) -> None:
    assert_read_alike(given)


@pytest.mark.parametrize("place", NAMES)
def test_beside_one_odd_field(place: str) -> None:
    for name, value in itertools.product(NAMES[place], ODD):
        parts: dict[str, dict[str, Any]] = {"chunk": {}, "choice": {}, "delta": {}}
        parts[place] = {name: value}
        given = []
        for text in "abcd":
            choice = {"delta": {"content": text, **parts["delta"]}, **parts["choice"]}
            given.append(b"data: " + json.dumps({"choices": [choice], **parts["chunk"]}).encode())
        assert_read_alike(given)


def an_event(text: str) -> bytes:
    delta = {"content": text, "role": "assistant", "refusal": None}
    choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
    chunk = {"id": "i", "created": 5, "model": "m", "usage": None, "choices": [choice]}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode(errors="surrogatepass")


def an_ascii_event(text: str) -> bytes:
    return b"data: " + json.dumps(json.loads(an_event(text)[6:])).encode()


def texts_of(found: list[Chunk]) -> list[str]:
    return [one["choices"][0]["delta"]["content"] for one in found]


def test_those_that_arrive_together_are_one_chunk() -> None:
    texts = ["a", "b", "c", "é", '"', "\n", "😀", "h"]
    for event in (an_event, an_ascii_event):
        given = [event(text) for text in texts]
        assert texts_of(chunks(after(0, given))) == ["a", 'bcé"\n😀h']
        assert texts_of(chunks(after(5, given))) == [*texts[:5], "\n😀h"]
        assert texts_of(chunks(apart(given))) == texts


def test_escaped_halves_of_a_character_are_joined() -> None:
    given = [an_ascii_event(text) for text in ("a", "\ud83d", "\ude00", "\ud83d", "b", "\ude00")]
    assert_read_alike(given)
    assert state(after(0, given))[2].text == "a😀\ufffdb\ufffd"


@pytest.mark.parametrize("inside", [rb"\u12", rb"\x", b"\\", b"a\tb", b'"', rb"\ud83d\u"])
def test_what_is_no_string_of_json_is_still_told(inside: bytes) -> None:
    event = b'data: {"choices":[{"delta":{"content":"%b"}}]}'
    given = [event % one for one in (b"a", b"b", inside, b"34", b"c")]
    assert_read_alike(given)
    assert "ProtocolError" in state(after(0, given))[1]


def test_what_never_comes_again_is_not_learned_for_ever() -> None:
    given = [
        b"data: " + json.dumps({"x": f"{n}", "choices": [{"delta": {"content": "a"}}]}).encode()
        for n in range(100)
    ]
    for blocks in (after(0, given), apart(given)):
        with patch.object(sse, "parsed", side_effect=sse.parsed) as parsed:
            assert texts_of(chunks(blocks)) == ["a"] * 100
        assert parsed.call_count == 108


def test_those_that_arrive_apart_are_read_once() -> None:
    with patch.object(sse, "parsed", side_effect=sse.parsed) as parsed:
        assert len(chunks(apart([an_event(text) for text in "abcdefgh"]))) == 8
    assert parsed.call_count == 2  # the first, as it is and with another text


def test_a_text_that_stands_elsewhere_too_is_not_taken_for_the_text() -> None:
    """Each is like the one before it but for what is no text of the answer."""
    choice = {"index": 0, "delta": {"content": "m"}, "finish_reason": None}
    given = [
        b"data: " + json.dumps({"choices": [choice], "model": name}).encode()
        for name in ("m", "m", "m", "n", "o")
    ]
    assert [one["model"] for one in chunks(after(2, given))] == ["m", "m", "m", "n", "o"]
    assert [one["choices"] for one in chunks(apart(given))] == [[choice]] * 5


@pytest.mark.parametrize("text", ["\ufffd", "a", "."])
@pytest.mark.parametrize(
    "form",
    [
        '{"choices":[{"delta":{"content":"TEXT"}}],"x":"%s"}',
        '{"choices":[{"delta":{"content":"TEXT"}}],"%s":"boom"}',
        '{"choices":[{"delta":{"content":"TEXT"}}],"id":"%s"}',
        '{"choices":[{"delta":{"content":"TEXT"}}]}\n: "%s"',
        '{"choices":[{"delta":{"content":"x","content":"TEXT"}}],"x":"%s"}',
    ],
)
def test_the_same_text_in_another_place_is_not_the_text(form: str, text: str) -> None:
    form = f"data: {form.replace('TEXT', text)}"
    assert_read_alike([(form % other).encode() for other in (text, "error", text, "TEXT")])


def test_a_text_like_what_stands_between_fields() -> None:
    for text in (": ", ", ", ":", ",", ": {", "data: "):
        given = [an_event(text)] * 4
        assert_read_alike(given)
        assert state(apart(given))[2].text == text * 4


def test_a_long_answer_is_kept_in_few_strings() -> None:
    text = TextBuffer()
    for number in range(20_000):
        text.append(f"{number} ")
    assert len(text._pieces) + len(text._joined) < 1100
    assert str(text) == "".join(f"{number} " for number in range(20_000))

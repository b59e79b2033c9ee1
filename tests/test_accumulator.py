"""The short way for plain chunks reads as the long one does, and a long answer takes no more."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.completion import Accumulator, Delta
from llmcli.schema import Chunk
from llmcli.text_buffer import TextBuffer

ODD = st.sampled_from([None, "", "x", "y", 0, 1, True, 1.0, [], ["a"], {}, {"a": ["b"]}, {"c": 1}])
TEXT = st.sampled_from(["a", "bc ", "", "é", "\ud83d", "\ude00", "z\ud83d", None, ["p"], 5])
NAMES = {
    "chunk": ["id", "created", "usage", "error", "data", "x", "provider", "object", "success"],
    "choice": ["index", "finish_reason", "logprobs", "error", "usage", "message"],
    "delta": ["role", "refusal", "reasoning", "reasoning_details", "tool_calls", "y"],
}


def some(place: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(NAMES[place]), ODD, max_size=2)


@st.composite
def chunks(draw: st.DrawFn) -> list[Chunk]:
    """Frames, each with several texts."""
    found = []
    for _ in range(draw(st.integers(1, 5))):
        frame, choice, delta = draw(some("chunk")), draw(some("choice")), draw(some("delta"))
        for text in draw(st.lists(TEXT, min_size=1, max_size=4)):
            inner = {**choice, "delta": {**delta, "content": text}}
            found.append({**frame, "choices": [inner] * draw(st.sampled_from([1, 1, 1, 2, 0]))})
    return copy.deepcopy(found)


def states(accumulator: Accumulator, given: list[Chunk]) -> list[Any]:
    found = []
    for chunk in given:
        read = accumulator.add(chunk)
        kept = {**vars(accumulator), "_plain": None, "_calls": accumulator._calls.whole()}
        kept |= {name: str(kept[name]) for name in ("_text", "_reasoning", "error")}
        kept["_refusal"] = accumulator.begun, "".join(accumulator._refusal)
        found.append(repr((read, sorted(kept.items()))))
    return found


@settings(max_examples=1000, deadline=None)
@given(chunks())
def test_plain_chunks_are_read_as_all_others(given: list[Chunk]) -> None:
    before = copy.deepcopy(given)
    long_way = Accumulator()
    long_way._plain.learn = lambda *_: None  # type: ignore[method-assign]
    assert states(Accumulator(), given) == states(long_way, copy.deepcopy(given))
    assert given == before


def test_plain_chunks_are_told() -> None:
    accumulator, read_in_full = Accumulator(), []
    long_way = accumulator._add
    accumulator._add = lambda chunk: read_in_full.append(chunk) or long_way(chunk)  # type: ignore
    for text in ("a", "b", "é"):
        delta = {"content": text, "role": "assistant", "refusal": None}
        choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
        chunk = {"id": "i", "created": 5, "model": "m", "usage": None, "choices": [choice]}
        assert accumulator.add(chunk) == Delta(text)
    assert len(read_in_full) == 1
    assert accumulator.partial().text == "abé"


def test_a_long_answer_is_kept_in_few_strings() -> None:
    text = TextBuffer()
    for number in range(20_000):
        text.append(f"{number} ")
    assert len(text._pieces) + len(text._joined) < 1100
    assert str(text) == "".join(f"{number} " for number in range(20_000))

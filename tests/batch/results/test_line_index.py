"""The index of lines gives each line once, the first one first."""

from hypothesis import given
from hypothesis import strategies as st

from llmcli.batch.results.line_index import LineIndex

KEYS = [*(f"{number:032x}" for number in (0, 1, 2**64, 2**64 + 1, 2**128 - 1)), "not hex", "a"]


class Plain:
    """The same by a list: what an index must do."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, bool]] = []

    def add(self, key: str, offset: int) -> None:
        self.lines.append((key, offset, False))

    def claim(self, *keys: str) -> tuple[int, str] | None:
        for place, (key, offset, claimed) in enumerate(self.lines):
            if key in keys and not claimed:
                self.lines[place] = (key, offset, True)
                return offset, key
        return None


@given(
    st.lists(st.sampled_from(KEYS), max_size=12),
    st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=2), max_size=12),
    st.lists(st.sampled_from(KEYS), max_size=4),
)
def test_the_index_does_as_a_list(
    added: list[str], claims: list[list[str]], later: list[str]
) -> None:
    index, plain = LineIndex(), Plain()
    for offset, key in enumerate(added):
        index.add(key, offset)
        plain.add(key, offset)
    # First in their order, as a run over the same input claims them, then in any.
    for keys in [*([key] for key in added[: len(added) // 2]), *claims]:
        assert index.claim(*keys) == plain.claim(*keys)
    for offset, key in enumerate(later, len(added)):
        index.add(key, offset)
        plain.add(key, offset)
    for keys in claims:
        assert index.claim(*keys) == plain.claim(*keys)
    assert list(index.unclaimed()) == [offset for _, offset, claimed in plain.lines if not claimed]
    assert [key in index for key in KEYS] == [key in (k for k, *_ in plain.lines) for key in KEYS]
    assert len(index) == len(plain.lines)


def test_many_lines() -> None:
    index = LineIndex()
    keys = [f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}" for number in range(5_000)]
    for offset, key in enumerate(keys):
        index.add(key, offset)
    for offset in (*range(10), *reversed(range(10, 5_000))):
        assert index.claim(keys[offset]) == (offset, keys[offset])
    assert not list(index.unclaimed())

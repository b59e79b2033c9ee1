"""Our dataclasses do as the standard library's."""

import dataclasses
from typing import Any

import pytest

from llmcli.config.keys import Key
from llmcli.system import dataclass as ours


def made(library: Any) -> tuple[Any, Any]:
    """The same two classes by either library."""

    @library.dataclass(frozen=True)
    class Inner:
        number: int = 1

    @library.dataclass
    class Outer:
        name: str
        inner: Inner = library.field(default_factory=Inner)
        secret: str = library.field(default="s", repr=False, metadata={"doc": "d"})

    return Inner, Outer


@pytest.mark.parametrize("library", [dataclasses, ours])
def test_they_do_the_same(library: Any) -> None:
    inner, outer = made(library)
    one = outer("a", secret="t")
    assert (one.name, one.inner, one.secret) == ("a", inner(1), "t")
    assert repr(one).split("(", 1)[1].startswith("name='a', inner=")
    assert "secret" not in repr(one)
    assert library.asdict(one) == {"name": "a", "inner": {"number": 1}, "secret": "t"}
    assert library.replace(one, name="b") == outer("b", secret="t") != one
    assert [f.name for f in library.fields(outer)] == ["name", "inner", "secret"]
    assert library.fields(one)[2].metadata == {"doc": "d"}
    assert len({inner(1), inner(), inner(2)}) == 2
    assert inner(1) != outer("a") and inner.number == 1 and outer("a").inner is not one.inner


@pytest.mark.parametrize("library", [dataclasses, ours])
def test_they_refuse_the_same(library: Any) -> None:
    inner, outer = made(library)
    with pytest.raises(TypeError):
        outer()
    with pytest.raises(TypeError):
        inner(1, 2)
    with pytest.raises(TypeError):
        inner(other=1)
    with pytest.raises(AttributeError):
        inner().number = 2
    with pytest.raises(AttributeError):
        del inner().number
    with pytest.raises(TypeError):
        hash(outer("a"))


def test_a_key_is_never_shown() -> None:
    assert "secret" not in repr(Key("secret", "s"))

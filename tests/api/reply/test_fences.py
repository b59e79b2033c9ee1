"""Fenced blocks, also those within lists and within each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcli.api.reply import fences
from llmcli.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("- a\n  ```py\n  x\n    y\n  ```", ["x\n  y\n"]),
        ("10. a\n\n    ```\n    x\n\n   z\n    ```", ["x\n\nz\n"]),
        ("1. a\n    - b\n\n        ```sh\n        x\n        ```\n", ["x\n"]),
        ("- ```sh\n  x\n  ```\n- ```sh\n  y\n  ```", ["x\n", "y\n"]),
        ("- a\n\ntext\n\n    ```\n    x\n    ```", []),
        ("    ```\n    x\n    ```", []),
        ("- a\n\t```mk\n\tall:\n\t\tcc\n\t```", ["all:\n\tcc\n"]),
        ("1. a\n   ```mk\n   all:\n   \tcc\n   ```", ["all:\n\tcc\n"]),
        ("1. a\nstill a\n   ```\n   x\n   ```", ["x\n"]),
        ("1. a\n   ```\n   x\n```\n", ["x\n"]),
        ("```py\nf = (\n    ```js\n    )\n```", ["f = (\n    ```js\n    )\n"]),
        ("````md\n```js\nx\n```\n````", ["```js\nx\n```\n"]),
        ("````md\n```js\n````", ["```js\n"]),
        ("~~~\n```js\n~~~", ["```js\n"]),
        ("```a\n```b\n```c\nx\n```\n```\n```", ["```b\n```c\nx\n```\n```\n"]),
        ("```\nx\n`````\n", ["x\n"]),
        ("```\x0cx\n```", [""]),
        ("***\n```\nx\n```", ["x\n"]),
        ("```\r\nx\r\n```\r\n", ["x\r\n"]),
    ],
)  # fmt: skip
def test_blocks(text: str, inside: list[str]) -> None:
    assert [block.text for block in fences.blocks(text)] == inside


@pytest.mark.parametrize("text", ["```", "```a\n```b\n```", "x\n~~~\n```", "- ```\n  x\n- y"])
def test_a_block_that_is_not_closed(text: str) -> None:
    with pytest.raises(BadRequest, match="do not add up"):
        fences.blocks(text)


LINES = st.text(st.characters(exclude_characters="`~\n", exclude_categories=["Cs"]))


@given(st.lists(LINES), st.integers(0, 3), st.sampled_from(["```", "~~~~"]))
def test_what_stands_in_a_fence_comes_out(lines: list[str], indent: int, fence: str) -> None:
    """Nothing but the indentation of the fence is taken from any line."""
    blanks = " " * indent
    text = "".join(f"{blanks}{line}\n" for line in (fence, *lines, fence))
    assert [block.text for block in fences.blocks(text)] == ["".join(f"{x}\n" for x in lines)]

"""Chunks that differ from the one before in nothing but their text: they are most of an answer."""

from typing import Any

from .schema import Chunk

_SCALAR = (str, type(None))


class PlainChunks:
    """Tells them, so that only their text need be read."""

    def __init__(self) -> None:
        self._known: Chunk | None = None

    def learn(self, chunk: Chunk, choice: dict[str, Any]) -> None:
        """`chunk` was read in full, and gave text alone by `choice`. It is known from now on, if to
        read the rest of it once more changes nothing: lists and refusals, say, would grow."""
        delta = choice.get("delta")
        if chunk.get("choices") != [choice] or not isinstance(delta, dict) or delta.get("refusal"):
            return
        if not isinstance(delta.get("content"), str):
            return
        flat: list[Chunk] = [
            {**chunk, "choices": None, "created": None},
            {**choice, "delta": None, "index": None},
            delta,
        ]
        if all(isinstance(value, _SCALAR) for part in flat for value in part.values()):
            self._known = {**chunk, "choices": [{**choice, "delta": {**delta, "content": None}}]}

    def forget(self) -> None:
        self._known = None

    def text(self, chunk: Chunk) -> str | None:
        """The text, if that is all that is new."""
        if self._known is None:
            return None
        try:
            delta = chunk["choices"][0]["delta"]
            text = delta["content"]
        except (KeyError, TypeError, IndexError):
            return None
        if type(text) is not str:
            return None
        delta["content"] = None
        plain = chunk == self._known
        delta["content"] = text
        return text if plain else None

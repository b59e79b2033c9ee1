"""The thinking that some models write into their text, between <think> and </think>."""

_OPEN, _CLOSE = "<think>", "</think>"
# Characters of white space before the tag after which no tag is expected any more.
_MOST_SPACE = 4096


def may_begin(text: str) -> bool:
    """Return whether an answer that begins with `text` may begin with the tag."""
    return _is_begun(_OPEN, text.lstrip())


def _is_begun(tag: str, text: str) -> bool:
    """Return whether `text` begins with `tag`, or is a beginning of it."""
    return text.startswith(tag) or tag.startswith(text)


class ThinkTags:
    """The splitter of one answer: text between the tags with which it begins is thinking.

    The answer may be cut into pieces anywhere. White space before and after the tags is dropped.
    Text that may be a part of a tag is held back until that is known.
    """

    def __init__(self) -> None:
        self._read = self._before
        self._held = ""
        # All since the beginning, white space and tag included: without an end it was text.
        self._whole: list[str] = []

    @property
    def open(self) -> bool:
        """Return whether the thinking has begun and not ended."""
        return self._read == self._inside

    def feed(self, text: str) -> tuple[str, str]:
        """Return the text and the thinking that `text` adds."""
        return self._read(text)

    def end(self) -> tuple[str, str]:
        """Return what was held back, as text and thinking; the answer has ended or broken off."""
        held, self._held = self._held, ""
        return ("", held) if self.open else (held, "")

    def as_text(self) -> str:
        """Return all that came since the tag, which was never closed, and the tag itself."""
        whole, self._whole = "".join(self._whole), []
        self._read = self._after_all
        return whole

    def _before(self, text: str) -> tuple[str, str]:
        self._held += text
        begun = self._held.lstrip()
        if begun.startswith(_OPEN):
            self._whole.append(self._held[: len(self._held) - len(begun)] + _OPEN)
            self._held, self._read = "", self._inside
            return self._inside(begun[len(_OPEN) :])
        if _is_begun(_OPEN, begun) and len(self._held) < _MOST_SPACE:
            return "", ""
        held, self._held, self._read = self._held, "", self._after_all
        return held, ""

    def _inside(self, text: str) -> tuple[str, str]:
        self._whole.append(text)
        text = self._held + text
        thinking, tag, rest = text.partition(_CLOSE)
        if tag:
            self._held, self._whole, self._read = "", [], self._after
            return self._after(rest)[0], thinking
        length = next(n for n in range(len(_CLOSE) - 1, -1, -1) if text.endswith(_CLOSE[:n]))
        self._held = text[len(text) - length :]
        return "", text[: len(text) - length]

    def _after(self, text: str) -> tuple[str, str]:
        text = text.lstrip()
        if text:
            self._read = self._after_all
        return text, ""

    def _after_all(self, text: str) -> tuple[str, str]:
        return text, ""

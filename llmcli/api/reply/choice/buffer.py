"""The buffer that joins the pieces of one choice."""

from collections.abc import Callable
from typing import Any

from llmcli.api import unknown_fields as extra
from llmcli.api.reply import reasoning
from llmcli.api.reply.choice import reader, think_tags
from llmcli.api.reply.choice.call_pieces import ToolCalls
from llmcli.api.reply.choice.reader import ChoicePiece
from llmcli.api.reply.choice.text_buffer import TextBuffer, has_surrogates, join_surrogates
from llmcli.api.reply.choice.think_tags import ThinkTags
from llmcli.api.reply.completion import CUT, FAILED, FILTERED, Choice, Delta
from llmcli.api.unknown_fields import Extra
from llmcli.system.dataclass import dataclass
from llmcli.system.secrets import redacted

# The fields of a message and of its calls that hold what the model wrote: they are the answer.
_WRITTEN = frozenset(("arguments", "input", "transcript"))


@dataclass(frozen=True)
class Reading:
    """How an answer is read.

    `keep_text` is false where only the length of text and thinking counts. `think_tags` says that
    text between the tags with which an answer begins is thinking. `redact` masks secrets; it is
    applied to all that is not the answer itself.
    """

    keep_text: bool = True
    think_tags: bool = True
    redact: Callable[[str], str] = str


class ChoiceBuffer:
    """The choice `index` of an answer, as far as it has come.

    `beside` says that it is not the first choice, which is shown as it arrives.
    """

    def __init__(self, reading: Reading, index: int, *, beside: bool) -> None:
        self.index = index
        self.finish_reason: str | None = None
        # Whether text or a call came after the finish_reason, which then was not the end.
        self.resumed = False
        self.text = TextBuffer(keep=reading.keep_text)
        self._reading = reading
        self._beside = beside
        self._reasoning = TextBuffer(keep=reading.keep_text)
        self._thought = TextBuffer(keep=reading.keep_text)  # between think tags
        self._tags: ThinkTags | None = None
        self._details: list[tuple[int, Any]] = []
        self._refusal: list[str] = []
        self._calls = ToolCalls()
        self._audio: list[dict[str, Any]] = []
        self._images: list[Any] = []
        self._parts: list[Any] = []
        self._high_surrogate = ""
        self._written = False  # whether there is a text beside a transcript
        self._in_deltas = False
        self._extra: Extra = {}
        self._message_extra: Extra = {}

    @property
    def begun(self) -> bool:
        """Return whether anything of the answer has come: text, thinking, refusal, call, image."""
        written = self.text or self._reasoning or self._thought or self._refusal
        other = self._audio or self._images or self._parts or self._message_extra.get("images")
        return bool(written or self._calls or other)

    @property
    def thought(self) -> bool:
        """Return whether there is any reasoning."""
        return bool(self._reasoning or self._thought)

    @property
    def names(self) -> list[str]:
        """Return the names of the tools that are called."""
        return [self._reading.redact(name) for name in self._calls.names()]

    @property
    def bytes(self) -> int:
        """Return the length in UTF-8 of text, thinking and tool calls."""
        calls = str(self._calls.calls() or "").encode(errors="replace")
        return self.text.bytes + self._reasoning.bytes + self._thought.bytes + len(calls)

    @property
    def reason(self) -> str | None:
        """Return the finish_reason as it may be shown."""
        return self.finish_reason and self._reading.redact(self.finish_reason)

    def add(self, choice: dict[str, Any]) -> Delta:
        """Add what a chunk says of this choice, and return what is new in it."""
        extra.keep(self._extra, choice, extra.OF_CHOICE)
        piece = reader.read(choice, in_deltas=self._in_deltas)
        self._in_deltas = self._in_deltas or not piece.whole
        delta = self._joined(piece)
        if piece.finish_reason:
            self.finish_reason, self.resumed = piece.finish_reason, False
        elif self.finish_reason and (delta.text or delta.tool_calls):
            self.resumed = True
        return delta

    def _joined(self, piece: ChoicePiece) -> Delta:
        message = piece.message
        extra.keep(self._message_extra, message, extra.OF_MESSAGE)
        details = message.get("reasoning_details")
        if isinstance(details, list):
            self._details += enumerate(details)
        if piece.refusal:
            self._refusal.append(piece.refusal)
        self._images += piece.parts.images
        self._parts += piece.parts.others
        if piece.calls:
            self._calls.add(piece.calls, whole=piece.whole)
        if piece.thinking:
            self._reasoning.append(piece.thinking)
        spoken = self._spoken(message)
        # A server may send the words of a spoken answer as its text as well.
        self._written = self._written or bool(piece.parts.text)
        text, thought = self._split(piece.parts.text if self._written else spoken)
        if text:
            self.text.append(text)
        if thought:
            self._thought.append(thought)
        if not piece.calls:
            return self._delta(text, piece.thinking + thought)
        calls = tuple(redacted(call, self._reading.redact, _WRITTEN) for call in piece.calls)
        return self._delta(text, piece.thinking + thought, calls)

    def _delta(self, text: str, thinking: str, calls: tuple[dict[str, Any], ...] = ()) -> Delta:
        return Delta(text, thinking, calls, self.index, self._beside)

    def _spoken(self, message: dict[str, Any]) -> str:
        """Return the words that the `audio` of a message adds, and keep the audio."""
        piece = message.get("audio")
        # Snowflake sends one with zeros and empty strings beside each text.
        if not isinstance(piece, dict) or not any(piece.values()):
            return ""
        from llmcli.api.reply.choice import audio  # noqa: PLC0415  # few answers are spoken

        self._audio.append(piece)
        return audio.transcript(piece)

    def _split(self, text: str) -> tuple[str, str]:
        """Return the text and the thinking between tags that `text` adds."""
        if text and (self._high_surrogate or has_surrogates(text)):
            text, self._high_surrogate = join_surrogates(self._high_surrogate + text)
        if self._tags:
            return self._tags.feed(text)
        at_start = text and not self.text and self._reading.think_tags
        if at_start and think_tags.may_begin(text):
            self._tags = ThinkTags()
            return self._tags.feed(text)
        return text, ""

    def end(self, *, ended: bool) -> Delta:
        """Return what was held back until now, as nothing more comes; `ended`: [DONE] has come.

        Thinking between tags that never ended was text after all, unless the answer was cut.
        """
        if self._tags is None:
            return self._delta("", "")
        text, thought = self._tags.end()
        if self._tags.open and self._is_whole(ended=ended):
            text, thought = self._tags.as_text(), ""
            self._thought = TextBuffer(keep=self._reading.keep_text)
        if text:
            self.text.append(text)
        if thought:
            self._thought.append(thought)
        return self._delta(text, thought)

    def _is_whole(self, *, ended: bool) -> bool:
        reason = (self.finish_reason or "").lower()
        bad = reason in (*CUT, *FAILED) or reason.startswith(FILTERED)
        return not bad and (ended or (bool(reason) and not self.resumed))

    def choice(self) -> Choice:
        """Return what has come so far; the arguments of a last call may lack their end."""
        redact = self._reading.redact
        message_extra: Extra = redacted(self._message_extra, redact)
        if self._images:
            message_extra["images"] = [*message_extra.get("images", []), *self._images]
        if self._parts:
            message_extra["content_parts"] = [*self._parts]
        if self._audio:
            from llmcli.api.reply.choice import audio  # noqa: PLC0415  # few answers are spoken

            message_extra["audio"] = audio.joined(self._audio)
        return Choice(
            index=self.index,
            text=str(self.text),
            chars=self.text.chars,
            reasoning=str(self._reasoning) + str(self._thought),
            thought=self.thought,
            reasoning_details=reasoning.consolidate(self._details),
            tool_calls=[redacted(call, redact, _WRITTEN) for call in self._calls.calls()],
            refusal="".join(self._refusal),
            finish_reason=self.reason,
            finished=bool(self.finish_reason) and not self.resumed,
            extra=redacted(self._extra, redact),
            message_extra=message_extra,
        )

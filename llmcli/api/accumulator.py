"""The fold from chunks to a Completion: the one place that reads the fields of a reply."""

import re
from typing import Any

from llmcli.api import errors, reasoning
from llmcli.api import unknown_fields as extra
from llmcli.api.completion import CUT, Completion, Delta
from llmcli.api.tool_calls import ToolCalls, refuse_malformed
from llmcli.api.types import DONE, Chunk, ToolCall, Usage
from llmcli.api.unknown_fields import Extra
from llmcli.errors import AnswerCut, Filtered, LlmcliError, ServerError, Truncated
from llmcli.system.dataclass import dataclass, field

# In lower case, as servers spell them in many ways.
_FAILED = ("error", "network_error", "insufficient_system_resource", "abort", "timeout",
           "cancelled")  # fmt: skip
_FILTERED = ("content_filter", "sensitive", "safety", "refusal", "recitation", "prohibited_content")

_MOST_PIECES = 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


class TextBuffer:
    """Pieces are joined now and then: alone, each would take ten times its size. Where the text is
    not `kept`, only its size is known, in characters and in bytes of UTF-8."""

    def __init__(self, kept: bool = True) -> None:
        self.kept = kept
        self.chars = self.bytes = 0
        self._joined: list[str] = []
        self._pieces: list[str] = []

    def append(self, piece: str) -> None:
        self.chars += len(piece)
        self.bytes += len(piece if piece.isascii() else piece.encode(errors="replace"))
        if not self.kept:
            return
        self._pieces.append(piece)
        if len(self._pieces) >= _MOST_PIECES:
            # Both at once, as a signal can come in between.
            self._joined, self._pieces = [*self._joined, "".join(self._pieces)], []

    def __bool__(self) -> bool:
        return self.chars > 0

    def __str__(self) -> str:
        whole = "".join(self._joined + self._pieces)
        self._joined, self._pieces = [whole] if whole else [], []
        return whole


def has_surrogates(text: str) -> bool:
    """Halves of characters, that is."""
    return not text.isascii() and _SURROGATE.search(text) is not None


@dataclass
class Accumulator:
    """`add` each chunk, then ask for `completion`; `partial` is what came so far, at any time."""

    id: str | None = None
    created: int | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    ended: bool = False
    _text: TextBuffer = field(default_factory=TextBuffer)
    _reasoning: TextBuffer = field(default_factory=TextBuffer)
    _details: list[tuple[int, Any]] = field(default_factory=list)
    _refusal: list[str] = field(default_factory=list)
    _calls: ToolCalls = field(default_factory=ToolCalls)
    _choice: str | None = None
    _high_surrogate: str = ""
    _in_deltas: bool = False
    _extra: Extra = field(default_factory=dict)
    _choice_extra: Extra = field(default_factory=dict)
    _message_extra: Extra = field(default_factory=dict)
    # More came after a finish_reason, which then is none.
    resumed: bool = False
    # What the last chunk reports to have gone wrong.
    error: LlmcliError | None = None

    def add(self, chunk: Chunk) -> Delta:
        """An error that the chunk reports is in `error`, beside what else there is to show."""
        if chunk is DONE:
            self.ended = True
            return Delta()
        if isinstance(chunk.get("data"), dict) and "choices" not in chunk:
            chunk = chunk["data"]  # the envelope {"success": true, "data": {…}}
        self.id = self.id or chunk.get("id") or None
        self.created = self.created or chunk.get("created") or None
        self.model = self.model or chunk.get("model") or None
        extra.keep(self._extra, chunk, extra.OF_REPLY)
        choice = self._first_choice(chunk.get("choices"))
        self.usage = _usage(chunk, choice) or self.usage
        self.error = errors.in_chunk(chunk, choice)
        return self._read(choice) if choice else Delta()

    @property
    def begun(self) -> bool:
        """Something of the answer has come."""
        return bool(self._text or self._reasoning or self._refusal or self._calls.whole())

    @property
    def text(self) -> str:
        return str(self._text)

    @property
    def chars(self) -> int:
        """Of the text."""
        return self._text.chars

    @property
    def bytes(self) -> int:
        """Of all that the model wrote, as UTF-8."""
        calls = str(self.tool_calls() or "").encode(errors="replace")
        return self._text.bytes + self._reasoning.bytes + len(calls)

    def anew(self) -> "Accumulator":
        """For another answer, of which the same is kept."""
        return Accumulator.of(self._text.kept)

    @classmethod
    def of(cls, kept: bool) -> "Accumulator":
        """`kept`: whether text and reasoning are, or only how long they are."""
        return cls(_text=TextBuffer(kept), _reasoning=TextBuffer(kept))

    def tool_calls(self) -> list[ToolCall]:
        return self._calls.whole()

    def partial(self) -> Completion:
        return Completion(
            id=self.id,
            created=self.created,
            model=self.model,
            text=self.text,
            reasoning=str(self._reasoning),
            reasoning_details=reasoning.consolidate(self._details),
            tool_calls=self.tool_calls(),
            refusal="".join(self._refusal),
            finish_reason=self.finish_reason,
            usage=self.usage,
            extra=self._extra,
            choice_extra=self._choice_extra,
            message_extra=self._message_extra,
        )

    def completion(self, allow_cut: bool = False, check_calls: bool = True) -> Completion:
        """The whole answer. Raises if the stream did not say that it is whole and good:
        Truncated, ServerError, Filtered, AnswerCut; ToolError for a call that cannot be run."""
        if not self.ended and (not self.finish_reason or self.resumed):
            raise Truncated("stream ended without finish_reason or [DONE]", transient=True)
        completion = self.partial()
        said = completion.finish_reason
        reason = (said or "").lower()
        if reason in _FAILED:
            raise ServerError(f"the server ended the answer with {said!r}", transient=True)
        if reason.startswith(_FILTERED):
            raise Filtered("the answer was stopped by the server's content filter")
        if completion.refusal and not self._text:
            raise Filtered(f"the model refused: {completion.refusal}")
        if completion.cut and not (allow_cut and self._text and not completion.tool_calls):
            raise AnswerCut(
                "answer cut at max_tokens or the context length",
                hint="raise --max-tokens, or accept it with --allow-cut",
            )
        if not self._text and not completion.tool_calls and reason not in CUT:
            because = "" if reason in ("stop", "") else f" (finish_reason {said!r})"
            # What was thought or otherwise made has been paid for: not again.
            paid = self._reasoning or (completion.usage or {}).get("completion_tokens")
            raise ServerError(f"the answer is empty{because}", transient=not paid)
        if check_calls and not completion.cut:
            refuse_malformed(completion.tool_calls)
        return completion

    def _first_choice(self, choices: Any) -> dict[str, Any] | None:
        """The choice we follow: that of the index seen first. Others (n > 1) are left alone."""
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                index = str(choice.get("index") or 0)
                if self._choice is None:
                    self._choice = index
                if index == self._choice:
                    return choice
        return None

    def _join_surrogates(self, text: str) -> str:
        """Some servers split a character outside the BMP into two JSON escapes in two chunks."""
        text = self._high_surrogate + text
        self._high_surrogate = ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._high_surrogate = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _read(self, choice: dict[str, Any]) -> Delta:
        extra.keep(self._choice_extra, choice, extra.OF_CHOICE)
        finish = choice.get("finish_reason")
        delta, whole = choice.get("delta"), False
        if delta:
            self._in_deltas = True
        elif not self._in_deltas:  # else the whole message once more
            delta, whole = choice.get("message"), True
        read = self._read_delta(delta, whole) if isinstance(delta, dict) else Delta()
        if isinstance(finish, str) and finish:
            self.finish_reason, self.resumed = finish, False
        elif self.finish_reason and (read.text or read.tool_calls):
            self.resumed = True
        return read

    def _read_delta(self, delta: dict[str, Any], whole: bool) -> Delta:
        extra.keep(self._message_extra, delta, extra.OF_MESSAGE)
        text, thinking = _split_content(delta.get("content"))
        if text and (self._high_surrogate or has_surrogates(text)):
            text = self._join_surrogates(text)
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details += enumerate(details)
        thinking += _reasoning_text(delta, details)
        self._refusal += _refusals(delta)
        pieces = _call_pieces(delta)
        if pieces:
            self._calls.add(pieces, whole)
        if text:
            self._text.append(text)
        if thinking:
            self._reasoning.append(thinking)
        return Delta(text, thinking, tuple(pieces))


def _split_content(content: Any) -> tuple[str, str]:
    """Text and thinking of a content that is a string, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    text, thinking = "", ""
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            thinking += _split_content(part.get("thinking") or part.get("text"))[0]
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text += part["text"]
    return text, thinking


def _refusals(delta: dict[str, Any]) -> list[str]:
    content = delta.get("content")
    parts = [delta, *(content if isinstance(content, list) else [])]
    texts = [part.get("refusal") for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _usage(chunk: Chunk, choice: dict[str, Any] | None) -> Usage | None:
    """Where servers put it: beside the choices, into one, or into a field of their own."""
    own = chunk.get("x_groq")
    places = (chunk, choice, own)
    found = [place.get("usage") for place in places if isinstance(place, dict)]
    return next((usage for usage in found if usage and isinstance(usage, dict)), None)


def _reasoning_text(delta: dict[str, Any], details: Any) -> str:
    """The same thinking comes under up to three names: read the first that has any."""
    for key in ("reasoning", "reasoning_content"):
        if isinstance(delta.get(key), str) and delta[key]:
            return str(delta[key])
    return reasoning.text_of(details) if isinstance(details, list) else ""


def _call_pieces(delta: dict[str, Any]) -> list[dict[str, Any]]:
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        return [call for call in calls if isinstance(call, dict)]
    if isinstance(delta.get("function_call"), dict):  # the form OpenAI deprecated in 2023
        return [{"index": 0, "function": delta["function_call"]}]
    return []

"""The accumulator, which joins the chunks of a reply, in whatever form it has, to a Completion."""

import re
from typing import Any

from llmcli.api import errors
from llmcli.api import unknown_fields as extra
from llmcli.api.reply import reasoning
from llmcli.api.reply.completion import CUT, Completion, Delta
from llmcli.api.reply.tool_calls import ToolCalls, pieces_in, refuse_malformed
from llmcli.api.types import DONE, Chunk, ToolCall, Usage
from llmcli.api.unknown_fields import Extra
from llmcli.errors import AnswerCut, Filtered, LlmcliError, ServerError, Truncated
from llmcli.system.dataclass import dataclass, field

# Values of finish_reason in lower case, as servers spell them in either.
_FAILED = ("error", "network_error", "insufficient_system_resource", "abort", "timeout",
           "cancelled")  # fmt: skip
_FILTERED = ("content_filter", "sensitive", "safety", "refusal", "recitation", "prohibited_content")

# Pieces after which a text buffer joins them.
_MOST_PIECES = 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


class TextBuffer:
    """A text that grows piece by piece, or with `keep` false only its length.

    `chars` is its length in characters, `bytes` its length in UTF-8. Pieces are joined now and
    then, as a short piece takes ten times the memory of its text.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self.keep = keep
        self.chars = self.bytes = 0
        self._joined: list[str] = []
        self._pieces: list[str] = []

    def append(self, piece: str) -> None:
        """Add `piece` at the end."""
        self.chars += len(piece)
        self.bytes += len(piece if piece.isascii() else piece.encode(errors="replace"))
        if not self.keep:
            return
        self._pieces.append(piece)
        if len(self._pieces) >= _MOST_PIECES:
            # In one statement: an exception by a signal between two would lose or double text.
            self._joined, self._pieces = [*self._joined, "".join(self._pieces)], []

    def __bool__(self) -> bool:
        return self.chars > 0

    def __str__(self) -> str:
        whole = "".join(self._joined + self._pieces)
        self._joined, self._pieces = [whole] if whole else [], []
        return whole


def has_surrogates(text: str) -> bool:
    """Return whether `text` has a surrogate: half of a character outside the BMP."""
    return not text.isascii() and _SURROGATE.search(text) is not None


@dataclass
class Accumulator:
    """The answer of one request, as far as its chunks have come.

    Give each chunk to `add`, then take the answer from `completion`; `partial` returns what has
    come at any time. `usage` is the last one that the server sent. `ended` says that `[DONE]` has
    come, `resumed` that text or a tool call came after the finish_reason, which then was not the
    end. `error` is the error that the last chunk reports.
    """

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
    _index: str | None = None  # of the choice that is read
    _high_surrogate: str = ""
    _in_deltas: bool = False
    _extra: Extra = field(default_factory=dict)
    _choice_extra: Extra = field(default_factory=dict)
    _message_extra: Extra = field(default_factory=dict)
    cost_beside: dict[str, Any] | None = None  # what a server says of the cost outside of usage
    resumed: bool = False
    error: LlmcliError | None = None

    def add(self, chunk: Chunk) -> Delta:
        """Add `chunk` and return what is new in it, to be shown.

        If the chunk reports an error, `error` is set until the next chunk, and what else came with
        it is returned all the same.
        """
        if chunk is DONE:
            self.ended = True
            return Delta()
        if isinstance(chunk.get("data"), dict) and "choices" not in chunk:
            chunk = chunk["data"]  # Cline's envelope {"success": true, "data": {…}}
        self.id = self.id or chunk.get("id") or None
        self.created = self.created or chunk.get("created") or None
        self.model = self.model or chunk.get("model") or None
        if isinstance(chunk.get("cost"), dict):
            self.cost_beside = chunk["cost"]
        extra.keep(self._extra, chunk, extra.OF_REPLY)
        choice = self._first_choice(chunk.get("choices"))
        self.usage = _usage(chunk, choice) or self.usage
        self.error = errors.in_chunk(chunk, choice)
        return self._read(choice) if choice else Delta()

    @property
    def begun(self) -> bool:
        """Return whether anything of the answer has come: text, reasoning, refusal, tool call."""
        return bool(self._text or self._reasoning or self._refusal or self.tool_calls())

    @property
    def text(self) -> str:
        """Return the text so far; "" if the accumulator does not keep it."""
        return str(self._text)

    @property
    def chars(self) -> int:
        """Return the length of the text in characters."""
        return self._text.chars

    @property
    def bytes(self) -> int:
        """Return the length in UTF-8 of all that the model wrote: an upper bound of its tokens.

        That is its text, its reasoning and its tool calls.
        """
        calls = str(self.tool_calls() or "").encode(errors="replace")
        return self._text.bytes + self._reasoning.bytes + len(calls)

    def fresh(self) -> "Accumulator":
        """Return an empty accumulator for another answer, which keeps text if this one does."""
        return Accumulator.of(keep_text=self._text.keep)

    @classmethod
    def of(cls, *, keep_text: bool) -> "Accumulator":
        """Return an empty accumulator, which keeps text and reasoning or only their lengths."""
        return cls(_text=TextBuffer(keep=keep_text), _reasoning=TextBuffer(keep=keep_text))

    def tool_calls(self) -> list[ToolCall]:
        """Return the tool calls so far; the arguments of the last one may lack their end."""
        return self._calls.calls()

    def partial(self) -> Completion:
        """Return what has come so far, whether or not it is a good answer."""
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

    def completion(self, *, allow_cut: bool = False, check_calls: bool = True) -> Completion:
        """Return the answer if it is complete and good.

        Raise Truncated if the stream ended without a finish_reason or [DONE], ServerError if the
        server reports a failure or the answer is empty, Filtered if it was filtered or refused.
        Raise AnswerCut if it was cut by its length, unless `allow_cut` is set and it is a text
        without tool calls. With `check_calls`, raise ToolError for a call that cannot be run.
        """
        if not self.ended and (not self.finish_reason or self.resumed):
            raise Truncated("stream ended without finish_reason or [DONE]", transient=True)
        completion = self.partial()
        reason = (completion.finish_reason or "").lower()
        if reason in _FAILED:
            words = f"the server ended the answer with {completion.finish_reason!r}"
            raise ServerError(words, transient=True)
        if reason.startswith(_FILTERED):
            raise Filtered("the answer was stopped by the server's content filter")
        if completion.refusal and not self._text:
            raise Filtered(f"the model refused: {completion.refusal}")
        may_be_cut = bool(self._text and not completion.tool_calls)
        if completion.cut and not (allow_cut and may_be_cut):
            hint = "raise --max-tokens" + (", or accept it with --allow-cut" if may_be_cut else "")
            raise AnswerCut("answer cut at max_tokens or the context length", hint=hint)
        if not self._text and not completion.tool_calls and reason not in CUT:
            raise self._empty(completion)
        if check_calls and not completion.cut:
            refuse_malformed(completion.tool_calls)
        return completion

    def _empty(self, completion: Completion) -> ServerError:
        """Return the error for an answer without text and tool calls.

        It is transient only if no tokens were made: a model that has thought in vain would be paid
        a second time.
        """
        reason = completion.finish_reason
        because = "" if (reason or "").lower() in ("stop", "") else f" (finish_reason {reason!r})"
        paid = self._reasoning or (completion.usage or {}).get("completion_tokens")
        return ServerError(f"the answer is empty{because}", transient=not paid)

    def _first_choice(self, choices: Any) -> dict[str, Any] | None:
        """Return the choice whose index was the first to come; the others (n > 1) are ignored."""
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                index = str(choice.get("index") or 0)
                if self._index is None:
                    self._index = index
                if index == self._index:
                    return choice
        return None

    def _join_surrogates(self, text: str) -> str:
        """Join the halves of a character that came in two chunks, and hold back a first half.

        Some servers split the two JSON escapes of a character outside the BMP.
        """
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
        elif not self._in_deltas:  # after deltas it would repeat what they said
            delta, whole = choice.get("message"), True
        read = self._read_delta(delta, whole=whole) if isinstance(delta, dict) else Delta()
        if isinstance(finish, str) and finish:
            self.finish_reason, self.resumed = finish, False
        elif self.finish_reason and (read.text or read.tool_calls):
            self.resumed = True
        return read

    def _read_delta(self, delta: dict[str, Any], *, whole: bool) -> Delta:
        extra.keep(self._message_extra, delta, extra.OF_MESSAGE)
        text, thinking = _split_content(delta.get("content"))
        if text and (self._high_surrogate or has_surrogates(text)):
            text = self._join_surrogates(text)
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details += enumerate(details)
        thinking += reasoning.text_in(delta)
        self._refusal += _refusals(delta)
        pieces = pieces_in(delta)
        if pieces:
            self._calls.add(pieces, whole=whole)
        if text:
            self._text.append(text)
        if thinking:
            self._reasoning.append(thinking)
        return Delta(text, thinking, tuple(pieces))


def _split_content(content: Any) -> tuple[str, str]:
    """Return the text and the thinking of `content`, which is a string or a list of parts."""
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
    """Return the usage beside the choices, in the choice, or where Groq puts it in a stream."""
    places = (chunk, choice, chunk.get("x_groq"))
    usages = [place.get("usage") for place in places if isinstance(place, dict)]
    return next((usage for usage in usages if usage and isinstance(usage, dict)), None)

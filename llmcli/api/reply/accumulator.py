"""The accumulator, which joins the chunks of a reply, in whatever form it has, to a Completion."""

from typing import Any

from llmcli.api import errors
from llmcli.api import unknown_fields as extra
from llmcli.api.reply.choice.buffer import ChoiceBuffer, Reading
from llmcli.api.reply.choice.numbers import ChoiceNumbers
from llmcli.api.reply.completion import Choice, Completion, Delta
from llmcli.api.types import DONE, Chunk, Usage
from llmcli.api.unknown_fields import Extra
from llmcli.errors import LlmcliError
from llmcli.system.dataclass import dataclass, field
from llmcli.system.secrets import redacted


@dataclass
class Accumulator:
    """The answer of one request, as far as its chunks have come.

    Give each chunk to `add`, call `end` when no more come, and take the answer from `completion`,
    which returns what has come at any time. `usage` is the last one that the server sent. `ended`
    says that `[DONE]` has come. `error` is the error that the last chunk reports. `cost_beside` is
    what the server says of the cost outside of usage.
    """

    reading: Reading = field(default_factory=Reading)
    id: str | None = None
    created: int | None = None
    model: str | None = None
    usage: Usage | None = None
    ended: bool = False
    cost_beside: dict[str, Any] | None = None
    error: LlmcliError | None = None
    _choices: dict[int, ChoiceBuffer] = field(default_factory=dict)
    _numbers: ChoiceNumbers = field(default_factory=ChoiceNumbers)
    _extra: Extra = field(default_factory=dict)

    def add(self, chunk: Chunk) -> list[Delta]:
        """Add `chunk` and return what is new in it, to be shown: a delta for each of its choices.

        If the chunk reports an error, `error` is set until the next chunk, and what else came with
        it is returned all the same.
        """
        if chunk is DONE:
            self.ended = True
            return []
        if isinstance(chunk.get("data"), dict) and "choices" not in chunk:
            chunk = chunk["data"]  # Cline's envelope {"success": true, "data": {…}}
        redact = self.reading.redact
        self.id = self.id or redacted(chunk.get("id") or None, redact)
        self.created = self.created or chunk.get("created") or None
        self.model = self.model or redacted(chunk.get("model") or None, redact)
        if isinstance(chunk.get("cost"), dict):
            self.cost_beside = chunk["cost"]
        extra.keep(self._extra, chunk, extra.OF_REPLY)
        given = chunk.get("choices")
        choices = list(self._numbers.numbered(given if isinstance(given, list) else []))
        first = choices[0][1] if choices else None
        if usage := _usage(chunk, first):
            self.usage = redacted(usage, redact)
        failed = next((choice for _, choice in choices if choice.get("error")), None)
        self.error = errors.in_chunk(chunk, failed)
        return [self._buffer(index).add(choice) for index, choice in choices]

    def end(self) -> list[Delta]:
        """Return what was held back until now, as no more chunks come."""
        return [buffer.end(ended=self.ended) for buffer in self._choices.values()]

    def _buffer(self, index: int) -> ChoiceBuffer:
        buffer = self._choices.get(index)
        if buffer is None:
            buffer = ChoiceBuffer(self.reading, index, beside=bool(self._choices))
            self._choices[index] = buffer
        return buffer

    @property
    def _first(self) -> ChoiceBuffer | None:
        return next(iter(self._choices.values()), None)

    @property
    def begun(self) -> bool:
        """Return whether anything of the answer has come: text, thinking, refusal, call, image."""
        return any(buffer.begun for buffer in self._choices.values())

    @property
    def whole(self) -> bool:
        """Return whether every choice that has begun has its finish_reason."""
        buffers = self._choices.values()
        return bool(buffers) and all(b.finish_reason and not b.resumed for b in buffers)

    @property
    def finish_reason(self) -> str | None:
        """Return the finish_reason of the first choice."""
        return self._first.reason if self._first else None

    @property
    def called(self) -> list[str]:
        """Return the names of the tools that the first choice calls."""
        return self._first.names if self._first else []

    @property
    def text(self) -> str:
        """Return the text of the first choice so far; "" if it is not kept."""
        return str(self._first.text) if self._first else ""

    @property
    def chars(self) -> int:
        """Return the length of the first choice's text in characters."""
        return self._first.text.chars if self._first else 0

    @property
    def thought(self) -> bool:
        """Return whether the first choice has reasoning so far."""
        return bool(self._first and self._first.thought)

    @property
    def bytes(self) -> int:
        """Return the length in UTF-8 of all that the model wrote: an upper bound of its tokens."""
        return sum(buffer.bytes for buffer in self._choices.values())

    def fresh(self) -> "Accumulator":
        """Return an empty accumulator for another answer, which is read in the same way."""
        return Accumulator(self.reading)

    def completion(self) -> Completion:
        """Return what has come so far, whether or not it is a good answer."""
        return Completion(
            id=self.id,
            created=self.created,
            model=self.model,
            usage=self.usage,
            choices=[buffer.choice() for buffer in self._choices.values()] or [Choice()],
            ended=self.ended,
            extra=redacted(self._extra, self.reading.redact),
        )


def _usage(chunk: Chunk, choice: dict[str, Any] | None) -> Usage | None:
    """Return the usage beside the choices, in the choice, or where Groq puts it in a stream."""
    places = (chunk, choice, chunk.get("x_groq"))
    usages = [place.get("usage") for place in places if isinstance(place, dict)]
    return next((usage for usage in usages if usage and isinstance(usage, dict)), None)

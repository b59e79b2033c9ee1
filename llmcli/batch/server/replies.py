"""The outcome of a record by the reply of a batch, judged as that of a live request."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from llmcli.api import errors
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.http.reply import chunks
from llmcli.backends.stream import Stream
from llmcli.batch.pace.rate_limit import Pace
from llmcli.batch.sender import Sender
from llmcli.batch.server.books import Books, Reply
from llmcli.batch.server.parts import Part
from llmcli.batch.server.service import Batch
from llmcli.batch.task import Outcome, Task
from llmcli.batch.worker import Answerer, RecordRules
from llmcli.errors import BadRequest, GeneralError, LlmcliError, ServerError, TryLater
from llmcli.system.dataclass import dataclass, replace
from llmcli.system.environment import Environment

# The codes of OpenAI for requests that a batch has left alone.
_EXPIRED, _CANCELLED = "batch_expired", "batch_cancelled"


class _AtOnce(Sender):
    """A sender without a pace: the replies are here already."""

    def send(
        self, number: int, request: ChatRequest, call: Any, listener: Any,
        attempt: Callable[[AbstractContextManager[None]], Any],
    ) -> Any:  # fmt: skip
        """Return what one attempt returns."""
        return attempt(nullcontext())


class ReplyReader(Answerer):
    """A function that answers a task by a reply that has come. One thread at a time may call it."""

    def __init__(self, environment: Environment, rules: RecordRules, books: Books) -> None:
        account, pace = books.for_replies(), Pace(None, None)
        rules = replace(rules, deadline=0, retries=0)
        super().__init__(environment, rules, self._backend_of, account, pace, None)
        self._sender = _AtOnce(pace, account, 0, again=False)
        self._reply: Reply = None
        self._missing: LlmcliError = ServerError("there is no reply")

    def read(self, task: Task, reply: Reply, missing: LlmcliError) -> Outcome:
        """Return the outcome of a task whose reply is `reply`, or `missing` if that is None."""
        self._reply, self._missing = reply, missing
        outcome = self(task)
        assert outcome is not None
        # What one reply says is not said of the others, which have come as well.
        return outcome._replace(fatal=False, sent=True)

    def _backend_of(self, trace: Trace) -> Stream:
        def stream(_request: ChatRequest) -> Iterator[list[Chunk]]:
            if self._reply is None:
                raise self._missing
            yield from _chunks(self._reply, trace)

        return stream


def _chunks(reply: dict[str, Any], trace: Trace) -> Iterator[list[Chunk]]:
    """Yield the chunks of the whole reply in a line of a batch's output.

    Raises the error that it stands for, as a live reply would.
    """
    response, error = reply.get("response"), reply.get("error")
    if not isinstance(response, dict):
        raise _unanswered(error if isinstance(error, dict) else {})
    attempt = trace.begin_attempt()
    status = response.get("status_code")
    attempt["status"] = status = status if isinstance(status, int) else 200
    request_id = response.get("request_id")
    trace.request_id = trace.redact(str(request_id)) if request_id else None
    body = json.dumps(response.get("body"))
    if not 200 <= status < 300:
        raise errors.from_response(status, {}, trace.redact(body).encode())
    yield from chunks.chunks(iter([body.encode()]), "application/json", trace)


def _unanswered(error: dict[str, Any]) -> LlmcliError:
    code = error.get("code")
    if code == _EXPIRED:
        return expired()
    if code == _CANCELLED:
        return cancelled()
    found = errors.in_chunk({"error": error}, None) if error else None
    return found or ServerError("the batch has neither a reply nor an error for this record")


def expired() -> LlmcliError:
    """Return the error for a request that a batch had no time for."""
    problem = "the batch expired before this record was answered"
    return TryLater(problem, code=_EXPIRED, hint="--resume asks it again")


def cancelled() -> LlmcliError:
    """Return the error for a request of a batch that was cancelled before."""
    problem = "the batch was cancelled before this record was answered"
    return GeneralError(problem, code=_CANCELLED, hint="--resume asks it again")


@dataclass(frozen=True)
class Missing:
    """Why requests of a part have no reply, by what the server says of its batch."""

    part: Part
    batch: Batch

    def error(self, line: int) -> LlmcliError:
        """Return the error for the request in a line."""
        batch = self.batch
        for number, code, message in batch.errors:
            if number == line + 1:
                return BadRequest(f"the batch was refused: {message}", code=code)
        if batch.status == "expired":
            return expired()
        if batch.status == "cancelled":
            return cancelled()
        if batch.errors or batch.status == "failed":
            reasons = [error for error in batch.errors if error[0] is None] or batch.errors[:1]
            code, message = reasons[0][1:] if reasons else (None, "no reason given")
            others = "" if reasons and reasons[0][0] is None else ", for another record"
            hint = "--resume asks it again"
            return TryLater(f"the batch failed{others}: {message}", code=code, hint=hint)
        return ServerError(f"{self.part.named()} has no reply to this record")

"""The server's files and batches, in the form of OpenAI's API, which others have as well.

It is described at https://platform.openai.com/docs/api-reference/batch and /files.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, TypeVar

from llmcli.api import delays
from llmcli.api.trace import Trace
from llmcli.backends.http import exchange
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.upload import Upload
from llmcli.batch.server.parts import PART, RUN, Part
from llmcli.chat.retry import LONGEST_RETRY_AFTER, delay
from llmcli.config.url import host_of
from llmcli.errors import LlmcliError, ProtocolError
from llmcli.system.dataclass import dataclass

T = TypeVar("T")

# The statuses of a batch after which nothing more will happen to it.
_OVER = ("completed", "failed", "expired", "cancelled")
# The window in which a batch is to be answered; OpenAI and Azure know no other.
_WINDOW = "24h"
# What a server without such files and batches answers.
_NOT_THERE = (404, 405, 501)
_PAGE = "limit=100"


@dataclass(frozen=True)
class Batch:
    """A batch as the server describes it.

    `status` is one of OpenAI's words. `total`, `completed` and `failed` count requests. `errors`
    has what is wrong with the file: the number of the line, from 1, or None, the code and the
    message. `retry_after` is the number of seconds after which the server wants to be asked again.
    """

    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    errors: tuple[tuple[int | None, str | None, str], ...] = ()
    retry_after: float | None = None

    @property
    def is_over(self) -> bool:
        """Return True if the batch has come to its end, whichever that is."""
        return self.status in _OVER

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.status}, {self.completed} of {self.total} done{failed}"


def read_batch(value: dict[str, Any], headers: Mapping[str, str]) -> Batch:
    """Return the batch that an object describes. Raises ProtocolError if it is not a batch."""
    identity, status = value.get("id"), value.get("status")
    if not isinstance(identity, str) or not isinstance(status, str):
        raise ProtocolError("the server sent JSON that is not a batch", hint="check base_url")
    counts = value.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    errors = value.get("errors")
    data = errors.get("data") if isinstance(errors, dict) else errors
    found = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return Batch(
        identity,
        status.lower(),
        value.get("output_file_id") or None,
        value.get("error_file_id") or None,
        _number(counts.get("total")) or 0,
        _number(counts.get("completed")) or 0,
        _number(counts.get("failed")) or 0,
        tuple((_number(e.get("line")), e.get("code"), str(e.get("message"))) for e in found),
        delays.retry_after(headers),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Service:
    """The files and batches of an endpoint.

    `path` is how the requests of a batch name Chat Completions. `retries` is how often is asked
    again after a failure that may pass. `log` gets each request and what failed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        retries: int,
        redact: Callable[[str], str],
        log: Callable[[str], None],
    ) -> None:
        self.path = path
        self._endpoint = endpoint
        self._retries = retries
        self._redact = redact
        self._log = log

    def upload(self, part: Part, file: BinaryIO) -> str:
        """Upload the file of a part and return its id. Raises what a request raises.

        After a failure that may pass it is looked for first, as the server may have it already.
        """

        def send() -> str:
            upload = Upload({"purpose": "batch"}, part.filename, file)
            try:
                _, value = self._json("POST", "/files", upload)
            except LlmcliError as error:
                raise self._explained(error) from None
            return _id(value, "a file")

        return self.persistently(send, lambda: self.find_file(part))

    def find_file(self, part: Part) -> str | None:
        """Return the id of the file of a part, if the server has all of it; else None."""
        for file in self._listed("/files", "purpose=batch"):
            if file.get("filename") == part.filename and file.get("bytes") in (part.size, None):
                return _id(file, "a file")
        return None

    def make(self, part: Part) -> Batch:
        """Make a batch of the uploaded file of a part, and return it."""
        body = {
            "input_file_id": part.file_id,
            "endpoint": self.path,
            "completion_window": _WINDOW,
            "metadata": part.metadata,
        }

        send = partial(self._batch, "POST", "/batches", body)
        return self.persistently(send, lambda: self.find_batch(part))

    def find_batch(self, part: Part) -> Batch | None:
        """Return the batch of a part, by its metadata or the id of its file; None if none is."""
        for value in self._listed("/batches"):
            metadata = value.get("metadata")
            metadata = metadata if isinstance(metadata, dict) else {}
            named = (metadata.get(RUN), metadata.get(PART)) == (part.run, str(part.number))
            if named or (part.file_id and value.get("input_file_id") == part.file_id):
                return read_batch(value, {})
        return None

    def batch(self, identity: str) -> Batch:
        """Return the batch as it is now."""
        return self._batch("GET", f"/batches/{identity}")

    def cancel(self, identity: str) -> Batch:
        """Ask the server to end the batch, and return it as it is then."""
        return self.persistently(partial(self._batch, "POST", f"/batches/{identity}/cancel", {}))

    def content(self, file_id: str) -> Iterator[bytes]:
        """Return the content of a file in pieces."""
        trace = self._trace()
        return exchange.receive(self._endpoint, "GET", f"/files/{file_id}/content", trace)[1]

    def persistently(self, ask: Callable[[], T], find: Callable[[], T | None] = lambda: None) -> T:
        """Return what `ask` returns; after a failure that may pass `find` looks, then ask again.

        Raises the last error, or one that does not pass.
        """
        number = 0
        while True:
            try:
                return ask()
            except LlmcliError as error:
                wait = delay(number, error.retry_after)
                passes = error.transient and wait <= LONGEST_RETRY_AFTER
                if not passes or number == self._retries:
                    raise
                self._log(f"{error}; trying again in {wait:.1f} s")
            number += 1
            time.sleep(wait)
            found = find()
            if found is not None:
                return found

    def _listed(self, path: str, more: str = "") -> Iterator[dict[str, Any]]:
        """Yield the objects of a list, page by page. The newest come first."""
        after, seen = "", set()
        while True:
            query = "&".join(filter(None, (more, _PAGE, after and f"after={after}")))
            _, value = self.persistently(partial(self._json, "GET", path, None, query))
            found = value.get("data")
            found = found if isinstance(found, list) else []
            page = [one for one in found if isinstance(one, dict)]
            yield from page
            after = str((page[-1].get("id") if page else None) or "")
            if not value.get("has_more") or not after or after in seen:
                return
            seen.add(after)

    def _batch(self, method: str, path: str, body: dict[str, Any] | None = None) -> Batch:
        """Return the batch that the reply to a request describes."""
        headers, value = self._json(method, path, body)
        return read_batch(value, headers)

    def _json(
        self, method: str, path: str, body: "dict[str, Any] | Upload | None" = None, query: str = ""
    ) -> tuple[Mapping[str, str], dict[str, Any]]:
        self._log(f"{method} {path}")
        return exchange.receive_json(self._endpoint, method, path, self._trace(), body, query)

    def _trace(self) -> Trace:
        return Trace(redact=self._redact)

    def _explained(self, error: LlmcliError) -> LlmcliError:
        if error.status not in _NOT_THERE:
            return error
        host = host_of(self._endpoint.base_url)
        problem = f"{host} has no /files (HTTP {error.status}): it offers no batches of this form"
        return ProtocolError(problem, hint="do without --batch", status=error.status)


def _id(value: dict[str, Any], what: str) -> str:
    if not isinstance(value.get("id"), str):
        raise ProtocolError(f"the server sent JSON that is not {what}", hint="check base_url")
    return str(value["id"])

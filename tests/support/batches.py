"""A scripted server with OpenAI's /files and /batches, whose clock the test moves.

A batch stands still until the test, or `advance` at each question, says how it goes on. The state
outlives the server, so that this can be killed and started again.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from tests.support.endpoint import Request, Server, Wire, serving
from tests.support.waiting import wait_until

Line = dict[str, Any]
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def answered(request: Line, text: str | None = None, **more: Any) -> Line:
    """The line of the output for a request: its last message in upper case."""
    said = str(request["body"]["messages"][-1]["content"]).upper() if text is None else text
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said},
        "finish_reason": "stop",
    }
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return reply(request, 200, {**body, "usage": USAGE, **more})


def reply(request: Line, status: int, body: Any) -> Line:
    response = {"status_code": status, "request_id": "req-1", "body": body}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


def unanswered(request: Line, code: str) -> Line:
    error = {"code": code, "message": "This request could not be executed."}
    return {"id": "b", "custom_id": request["custom_id"], "response": None, "error": error}


@dataclass
class Batches:
    """The files and batches of a server.

    `advance` is called at each question for a batch. `arrived` is called with each request before
    it is dealt with, `left` after that and before it is answered; they may raise OSError, which
    drops the connection. `faults` maps a method and path, by a pattern, to a script that answers.
    """

    advance: Callable[["Batches", dict[str, Any]], None] = lambda *_: None
    arrived: Callable[[Request], None] = lambda _: None
    left: Callable[[Request], None] = lambda _: None
    faults: dict[str, Callable[[Wire, Request], None]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    page: int = 100
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, wire: Wire, request: Request) -> None:
        path, _, query = request.path.partition("?")
        path = path.removeprefix("/v1").removeprefix("/openai/v1")
        step = f"{request.method} {path}"
        self.log.append(step)
        self.arrived(request)
        for pattern, fault in self.faults.items():
            if re.fullmatch(pattern, step):
                fault(wire, request)
                return
        with self.lock:
            value = self._dealt_with(request, path, query)
        self.left(request)
        if isinstance(value, bytes):
            wire.whole(value, "200 OK", "application/octet-stream")
        elif value is None:
            error = {"error": {"message": "no such thing", "code": "not_found"}}
            wire.json(error, "404 Not Found")
        else:
            wire.json(value, "200 OK", "Retry-After: 0")

    def _dealt_with(self, request: Request, path: str, query: str) -> Any:
        parts = path.strip("/").split("/")
        if parts == ["files"]:
            if request.method == "POST":
                return self._uploaded(request)
            return self._page(list(self.files.values()), query)
        if parts == ["batches"]:
            if request.method == "POST":
                return self._made(request.json)
            return self._page(list(self.batches.values()), query)
        if parts[0] == "files":
            return self.contents.get(parts[1])
        batch = self.batches.get(parts[1])
        if batch and parts[2:] == ["cancel"]:
            self.cancel(batch)
        elif batch:
            self.advance(self, batch)
        return batch

    def _uploaded(self, request: Request) -> dict[str, Any]:
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        form: Any = BytesParser(policy=HTTP).parsebytes(head + request.body)
        named = {
            part.get_param("name", header="content-disposition"): part for part in form.iter_parts()
        }
        assert named["purpose"].get_content().strip() == "batch"
        file = named["file"]
        return self.files[self.add_file(file.get_filename(), file.get_payload(decode=True))]

    def add_file(self, name: str, content: bytes) -> str:
        identity = f"file-{len(self.files) + 1}"
        self.contents[identity] = content
        self.files[identity] = {
            "id": identity, "object": "file", "bytes": len(content), "filename": name,
            "purpose": "batch", "created_at": 1,
        }  # fmt: skip
        return identity

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        identity = f"batch_{len(self.batches) + 1}"
        total = len(self.requests_in(body["input_file_id"]))
        self.batches[identity] = {
            **body, "id": identity, "object": "batch", "status": "validating", "errors": None,
            "output_file_id": None, "error_file_id": None,
            "request_counts": {"total": total, "completed": 0, "failed": 0},
        }  # fmt: skip
        return self.batches[identity]

    def _page(self, items: list[dict[str, Any]], query: str) -> dict[str, Any]:
        newest = items[::-1]
        if after := re.search("after=([^&]+)", query):
            ids = [item["id"] for item in newest]
            newest = newest[ids.index(after[1]) + 1 :]
        page = newest[: self.page]
        return {"object": "list", "data": page, "has_more": len(newest) > len(page)}

    def requests_in(self, file_id: str) -> list[Line]:
        """The requests of an uploaded file."""
        return [json.loads(line) for line in self.contents[file_id].splitlines()]

    def requests_of(self, batch: dict[str, Any]) -> list[Line]:
        """The requests of a batch."""
        return self.requests_in(batch["input_file_id"])

    def end(
        self,
        batch: dict[str, Any],
        output: list[Line] | bytes | None,
        errors: list[Line] | None = None,
        status: str = "completed",
    ) -> None:
        """Let a batch come to its end with what stands in its files."""
        batch["status"] = status
        done = output if isinstance(output, list) else []
        for name, lines in (("output_file_id", output), ("error_file_id", errors)):
            if lines:
                text = lines if isinstance(lines, bytes) else jsonl(lines)
                batch[name] = self.add_file(f"{name}.jsonl", text)
        counts = batch["request_counts"]
        counts.update(completed=len(done), failed=len(errors or []))

    def complete(self, batch: dict[str, Any]) -> None:
        """Answer all requests of a batch, in another order than they have."""
        self.end(batch, [answered(request) for request in reversed(self.requests_of(batch))])

    def cancel(self, batch: dict[str, Any]) -> None:
        batch["status"] = "cancelled"

    def wait_for(self, step: str, times: int = 1) -> None:
        """Return once a request has arrived so many times."""
        wait_until(lambda: sum(bool(re.fullmatch(step, one)) for one in self.log) >= times)

    def count(self, step: str) -> int:
        return sum(bool(re.fullmatch(step, one)) for one in self.log)


def jsonl(lines: list[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def completes(after: int = 2) -> Callable[[Batches, dict[str, Any]], None]:
    """A batch that is over at the question of this number."""
    asked: dict[str, int] = {}

    def advance(server: Batches, batch: dict[str, Any]) -> None:
        asked[batch["id"]] = asked.get(batch["id"], 0) + 1
        if batch["status"] in ("validating", "in_progress"):
            batch["status"] = "in_progress"
            if asked[batch["id"]] >= after:
                server.complete(batch)

    return advance


@contextmanager
def batching(env: dict[str, str], batches: Batches) -> Iterator[Server]:
    """An endpoint with these batches, configured by the environment."""
    with serving(batches) as server:
        env.update(LLMCLI_BASE_URL=server.base_url, LLMCLI_API_KEY="sk-test", LLMCLI_MODEL="m")
        yield server

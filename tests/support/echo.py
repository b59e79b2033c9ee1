"""An endpoint for many records: keeps connections, echoes what it is asked, counts."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.endpoint import USAGE, chunk

# What is done with the n-th request for the prompt `text`: None answers it.
Fault = Callable[["Handler", str, int], bool | None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgment
    server: "Echo"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = prompt_of(body)
        server = self.server
        with server.lock:
            server.bodies.append(body)
            server.times.append(time.monotonic())
            server.keys.append(self.headers.get("Authorization", ""))
            number = server.asked[text]
            server.asked[text] += 1
            server.running += 1
            server.most = max(server.most, server.running)
        try:
            time.sleep(server.wait)
            if server.is_held(text):
                server.released.wait()
            if not (server.fault and server.fault(self, text, number)):
                self.answer(server.reply(text), body.get("stream", False))
        finally:
            with server.lock:
                server.running -= 1

    def answer(self, text: str, stream: bool) -> None:
        if not stream:
            message = {"role": "assistant", "content": text}
            whole = chunk(None, message=message, finish_reason="stop") | {"usage": USAGE}
            return self.whole(200, whole)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        last = chunk("", finish_reason="stop") | {"usage": USAGE}
        for event in (json.dumps(chunk(text)), json.dumps(last), "[DONE]"):
            data = f"data: {event}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def whole(self, status: int, value: Any, **headers: str) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int, **headers: str) -> bool:
        self.whole(status, {"error": {"message": f"refused {status}", "code": status}}, **headers)
        return True

    def log_message(self, *_: Any) -> None:
        pass


def prompt_of(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[0].get("text", ""))


class Echo(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, wait: float, fault: Fault | None, reply: Callable[[str], str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wait = wait
        self.fault = fault
        self.reply = reply
        self.lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.keys: list[str] = []
        self.asked: Counter[str] = Counter()
        self.connections = 0
        self.running = self.most = 0
        self.released = threading.Event()
        self._held: tuple[str, ...] | None = ()

    def process_request(self, *arguments: Any) -> None:
        self.connections += 1
        super().process_request(*arguments)

    def handle_error(self, *_: Any) -> None:
        pass  # the client went away

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def hold(self, *prompts: str) -> None:
        """Keep back the answers to these prompts, or to all, until `release`."""
        self.released.clear()
        self._held = prompts or None

    def release(self) -> None:
        self._held = ()
        self.released.set()

    def is_held(self, prompt: str) -> bool:
        return self._held is None or prompt in self._held

    def wait_for(self, requests: int, running: int | None = None) -> None:
        """Until so many have come, and no more than `running` of them are without an answer."""
        while True:
            with self.lock:
                if len(self.bodies) >= requests and (running is None or self.running <= running):
                    return
            time.sleep(0.01)


@contextmanager
def echoing(
    wait: float = 0, fault: Fault | None = None, reply: Callable[[str], str] = "answer to {}".format
) -> Iterator[Echo]:
    with Echo(wait, fault, reply) as server:
        # How often it looks whether it is to end is how long each test waits for it.
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.shutdown()


def lines(count: int) -> bytes:
    """An input of so many records."""
    return b"".join(b"r%d\n" % n for n in range(count))


def asked(server: Echo) -> list[str]:
    """The prompts that have come, in no order of theirs."""
    return sorted(prompt_of(body) for body in server.bodies)


def rows(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]

"""The replies of the server: what a URL asks for, and the bytes of it."""

import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache

_EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
)
_END = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":10,"total_tokens":15}}\n\n'
    b"data: [DONE]\n\n"
)
_WHOLE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"m",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"%b"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":10,"total_tokens":15}}'
)
_FRAMES = {
    "chunked": b"Transfer-Encoding: chunked",
    "length": b"Content-Length: %d",
    "close": b"Connection: close",
}


@dataclass(frozen=True)
class Plan:
    """`size` is the characters of a token, `wait` the seconds before anything is sent. With `gap`,
    seconds between writes of `burst` tokens, a token is the time of its own writing. With
    `changing` each event has a field of its own, as OpenAI's has `obfuscation`."""

    events: int = 10
    size: int = 6
    wait: float = 0.0
    gap: float = 0.0
    burst: int = 1
    framing: str = "chunked"
    changing: int = 0

    def path(self) -> str:
        return "/" + ",".join(f"{name}={value}" for name, value in asdict(self).items())

    @staticmethod
    @cache
    def of(path: str) -> "Plan":
        given = dict(pair.split("=") for pair in path.split("/")[1].split(","))
        return Plan(**{name: type(one)(given[name]) for name, one in asdict(Plan()).items()})

    def frame(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self.framing == "chunked" else data

    def last(self, data: bytes) -> bytes:
        """The frame after which there is none."""
        return self.frame(data) + (b"0\r\n\r\n" if self.framing == "chunked" else b"")


def _head(plan: Plan, kind: bytes, length: int) -> bytes:
    frame = _FRAMES[plan.framing]
    frame = frame % length if b"%" in frame else frame
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n" % (kind, frame)


def _stamp() -> bytes:
    return b"@%020d;" % time.monotonic_ns()


@cache
def streamed(plan: Plan) -> bytes:
    """All at once, each event in a chunk of its own."""
    event = _EVENT % (b"x" * (plan.size - 1) + b" ")
    events = [event] * plan.events
    if plan.changing:
        events = [event.replace(b'{"id"', b'{"n":"%d","id"' % n, 1) for n in range(plan.events)]
    length = sum(map(len, events)) + len(_END)
    head = _head(plan, b"text/event-stream", length)
    return head + b"".join(map(plan.frame, events)) + plan.last(_END)


@cache
def whole(plan: Plan) -> bytes:
    body = _WHOLE % (b"x" * plan.size * plan.events)
    return _head(plan, b"application/json", len(body)) + plan.last(body)


def paced(plan: Plan) -> Iterator[bytes]:
    """What is written between the gaps. The end comes with the last token."""
    length = plan.events * len(_EVENT % _stamp()) + len(_END)
    pieces = _head(plan, b"text/event-stream", length)
    for number in range(1, plan.events + 1):
        pieces += plan.frame(_EVENT % _stamp())
        if number == plan.events:
            yield pieces + plan.last(_END)
        elif number % plan.burst == 0:
            yield pieces
            pieces = b""


def stamps(data: bytes) -> list[int]:
    """When each of the tokens in what a client has written was sent."""
    return [int(digits) for digits in re.findall(rb"@(\d{20});", data)]

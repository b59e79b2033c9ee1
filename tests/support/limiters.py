"""Limits of requests as servers have them, by a clock that the caller reads."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol


class Limiter(Protocol):
    def refuses(self, now: float) -> float | None:
        """None if the request is taken, else the seconds to come again in; 0 names none."""


@dataclass
class Bucket:
    """nginx's limit_req: it drains at `rate` requests a second, and `burst` more may wait."""

    rate: float
    burst: int
    names: float = 0
    excess: float = 0.0
    last: float | None = None

    def refuses(self, now: float) -> float | None:
        # As ngx_http_limit_req_lookup: the first request of a client is free of charge.
        if self.last is None:
            self.last = now
            return None
        excess = max(self.excess - self.rate * (now - self.last) + 1, 0)
        if excess > self.burst + 1e-9:
            return self.names
        self.excess, self.last = excess, now
        return None


@dataclass
class Window:
    """LiteLLM's rpm: so many requests in each window of time, which all begin at `offset`."""

    most: int
    seconds: float
    offset: float = 0.0
    named: bool = False
    counts: Counter[int] = field(default_factory=Counter)

    def refuses(self, now: float) -> float | None:
        number = int((now + self.offset) // self.seconds)
        if self.counts[number] < self.most:
            self.counts[number] += 1
            return None
        return (number + 1) * self.seconds - now - self.offset if self.named else 0


@dataclass
class SinceFirst:
    """A count in a window that begins with the first request after the last window's end."""

    most: int
    seconds: float
    named: bool = False
    began: float = float("-inf")
    count: int = 0

    def refuses(self, now: float) -> float | None:
        if now >= self.began + self.seconds:
            self.began, self.count = now, 0
        if self.count < self.most:
            self.count += 1
            return None
        return self.seconds if self.named else 0


@dataclass
class Changing:
    """One limit up to a moment, another one from then on."""

    first: Limiter
    at: float
    second: Limiter

    def refuses(self, now: float) -> float | None:
        return (self.first if now < self.at else self.second).refuses(now)


class Locked:
    """A limiter of a real server: by the real clock, for any number of threads."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._lock = threading.Lock()

    def refuses(self) -> bool:
        with self._lock:
            return self._limiter.refuses(time.monotonic()) is not None

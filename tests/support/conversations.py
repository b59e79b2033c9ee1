"""Messages and kept sessions, for the tests of conversations."""

import json
import time
from pathlib import Path
from typing import Any

from tests.support.endpoint import Server, calling
from tests.support.waiting import PATIENCE

STATE = ".local/state/llmcli"
# Arguments not as we would write them: they go back as they came.
call_weather = calling(("c1", "weather", '{"city":  "Oslo"}'))


def said(server: Server, number: int = -1) -> list[Any]:
    """The messages of a request."""
    messages: list[Any] = server.requests[number].json["messages"]
    return messages


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def kept(home: Path, name: str) -> list[dict[str, Any]]:
    lines = (home / STATE / "sessions" / f"{name}.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def results(server: Server) -> list[str]:
    return [m["content"] for m in said(server) if m["role"] == "tool"]


def gone(pid: int) -> bool:
    """Whether the process ends soon; a zombie that init has not yet reaped is gone as well."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False

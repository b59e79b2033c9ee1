"""Messages and kept sessions, for the tests of conversations."""

import json
from pathlib import Path
from typing import Any

from .fakes import Server

STATE = ".local/state/llmcli"


def said(server: Server, number: int = -1) -> list[Any]:
    """The messages of a request."""
    messages: list[Any] = server.requests[number].json["messages"]
    return messages


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def kept(home: Path, name: str) -> list[dict[str, Any]]:
    lines = (home / STATE / "sessions" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]

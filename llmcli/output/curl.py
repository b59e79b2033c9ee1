"""--curl: the request as a command that can be run, with no secret in it."""

import json
import re
import shlex
from collections.abc import Mapping

from ..config import is_secret
from ..schema import ChatRequest


def command(request: ChatRequest, url: str, headers: Mapping[str, str]) -> str:
    """The body goes in as a here-document: an argument could be too long for the system."""
    lines = [
        f"curl -sS -N {shlex.quote(url)}",
        '-H "Authorization: Bearer $LLMCLI_API_KEY"',
        "-H 'Content-Type: application/json'",
        *(f"-H {_header(name, value)}" for name, value in headers.items()),
        "--data-binary @- <<'LLMCLI_BODY'",
    ]
    body = json.dumps(request, ensure_ascii=False, indent=2)
    return " \\\n  ".join(lines) + f"\n{body}\nLLMCLI_BODY\n"


def _header(name: str, value: str) -> str:
    if is_secret(name):
        variable = re.sub(r"\W", "_", name.upper())
        return f'"{name}: $LLMCLI_HEADER_{variable}"'
    return shlex.quote(f"{name}: {value}")

"""--curl: the request as a command that can be run, with no secret in it."""

import re
import shlex
from collections.abc import Mapping

from llmcli.api.request import encode
from llmcli.api.types import ChatRequest
from llmcli.config.headers import is_secret

_KEY = '-H "Authorization: Bearer $LLMCLI_API_KEY"'


def command(request: ChatRequest, url: str, headers: Mapping[str, str]) -> bytes:
    """The body goes in as a here-document: an argument could be too long for the system."""
    lines = [
        f"curl -sS -N {shlex.quote(url)}",
        *([] if "authorization" in map(str.lower, headers) else [_KEY]),
        "-H 'Content-Type: application/json'",
        *(f"-H {_header(name, value)}" for name, value in headers.items()),
        "--data-binary @- <<'LLMCLI_BODY'",
    ]
    body = encode(request, indent=2)
    return " \\\n  ".join(lines).encode() + b"\n" + body + b"\nLLMCLI_BODY\n"


def _header(name: str, value: str) -> str:
    if is_secret(name):
        variable = re.sub(r"\W", "_", name.upper())
        return f'"{name}: $LLMCLI_HEADER_{variable}"'
    return shlex.quote(f"{name}: {value}")

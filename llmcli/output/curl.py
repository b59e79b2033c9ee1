"""The command that --curl prints: the request for curl, with variables in place of secrets."""

import re
import shlex
from collections.abc import Mapping

from llmcli.api.request import encode
from llmcli.api.types import ChatRequest
from llmcli.config.headers import is_secret


def command(
    request: ChatRequest,
    url: str,
    headers: Mapping[str, str],
    *,
    key_variable: str | None,
    key_header: str = "Authorization",
) -> bytes:
    """Return a shell command that sends `request` to `url`, as UTF-8 that ends in a newline.

    `key_header` carries what the shell's variable `key_variable` holds; None means that no key is
    sent. A header that is secret, such as X-Api-Key, stands as `$LLMCLI_HEADER_X_API_KEY`.
    """
    bearer = "Bearer " if key_header == "Authorization" else ""
    # In double quotes, so that the shell puts in the value of the variable.
    key = [f'-H "{key_header}: {bearer}${key_variable}"'] if key_variable else []
    lines = [
        f"curl -sS -N {shlex.quote(url)}",
        *key,
        "-H 'Content-Type: application/json'",
        *(f"-H {_header(name, value)}" for name, value in headers.items()),
        "--data-binary @- <<'LLMCLI_BODY'",
    ]
    body = encode(request, indent=2)
    # A here-document, since Linux refuses a single argument of 128 KiB or more (execve(2)). No line
    # of indented JSON can end it early: each begins with a brace or a blank.
    return " \\\n  ".join(lines).encode() + b"\n" + body + b"\nLLMCLI_BODY\n"


def _header(name: str, value: str) -> str:
    if is_secret(name):
        variable = re.sub(r"\W", "_", name.upper())
        # In double quotes, so that the shell puts in the value of the variable.
        return f'"{name}: $LLMCLI_HEADER_{variable}"'
    return shlex.quote(f"{name}: {value}")

"""Request headers of the user's own: named, checked, and told apart from secrets."""

import re
from collections.abc import Mapping

from llmcli.errors import ConfigError

# They frame the request, which is not the user's to do.
_FRAMING = ("content-length", "transfer-encoding", "accept-encoding")


def is_secret(name: str) -> bool:
    """Whether a header of this name carries a credential."""
    return bool(re.search(r"auth|key|token|secret|cookie|pass|credential|session", name, re.I))


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ConfigError for a header that could smuggle in another."""
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):  # a token of RFC 9110
            raise ConfigError(f"{name!r} is no header name")
        if name.lower() in _FRAMING:
            raise ConfigError(f"the header {name} is set by llmcli itself")
        if any(c in "\r\n\0" or ord(c) > 0xFF for c in value) or value != value.strip():
            raise ConfigError(f"the value of header {name} has a character that cannot be sent")

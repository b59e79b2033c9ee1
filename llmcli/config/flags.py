"""What the command line gives in the place of settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmcli.api import request
from llmcli.config import headers as header_rules
from llmcli.config.options import (
    ConnectionOptions,
    SamplingOptions,
)
from llmcli.errors import ConfigError, UsageError
from llmcli.system.text import check_text

if TYPE_CHECKING:
    pass


def flags(sampling: SamplingOptions, connecting: ConnectionOptions) -> dict[str, Any]:
    """The settings that the command line gave; None where it did not. Raises UsageError."""
    given = {
        "model": sampling.model,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "top_p": sampling.top_p,
        "stop": sampling.stop or None,
        "seed": sampling.seed,
        "reasoning": sampling.reasoning,
        "options": request.parse_extra(sampling.option or []) or None,
        "base_url": connecting.base_url,
        "headers": _headers(connecting.header or []) or None,
        "connect_timeout": connecting.connect_timeout,
        "idle_timeout": connecting.idle_timeout,
        "deadline": connecting.deadline,
        "retries": connecting.retries,
    }
    for name, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                check_text(item, f"--{name.replace('_', '-')}")
    return given


def _headers(pairs: Sequence[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--header {name!r} is not NAME=VALUE")
        headers[name] = value
    try:
        header_rules.check_headers(headers)
    except ConfigError as error:
        raise UsageError(f"--header: {error.message}") from None
    return headers


def tag(tag: str | None) -> str | None:
    if tag is not None and not (tag.strip() and tag.isprintable()):
        raise UsageError(f"--tag {tag!r} is no name")
    return None if tag is None else check_text(tag, "--tag")

"""The options of the command line that stand for settings, read as values of settings."""

import re
from collections.abc import Sequence
from typing import Any

from llmcli.api import request
from llmcli.config.headers import check_headers
from llmcli.config.options import ConnectionOptions, SamplingOptions
from llmcli.errors import ConfigError, UsageError
from llmcli.system.text import check_text


def flags(sampling: SamplingOptions, connecting: ConnectionOptions) -> dict[str, Any]:
    """Return the settings that the options give, by name; None where an option was not given.

    Raises UsageError for an option that is malformed, such as a --header without `=`, and
    BadRequest for an argument that is not UTF-8.
    """
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
    """Return the headers of `NAME=VALUE` pairs. Raises UsageError."""
    headers = {}
    for pair in pairs:
        # A name has neither of the two signs, so the first one ends it.
        name = re.split("[=:]", pair, maxsplit=1)[0]
        sign, value = pair[len(name) : len(name) + 1], pair[len(name) + 1 :]
        if not (name and sign):
            # The pair is not shown: it may be a key whose name was forgotten.
            hint = "such as --header 'X-Team: blue'"
            raise UsageError("--header must be NAME=VALUE or 'NAME: VALUE'", hint=hint)
        # As curl does, white space behind a colon is left out.
        headers[name] = value.strip(" \t") if sign == ":" else value
    try:
        check_headers(headers)
    except ConfigError as error:
        raise UsageError(f"--header: {error.message}") from None
    return headers


def check_tag(tag: str | None) -> str | None:
    """Return the value of --tag, None where it was not given.

    Raises UsageError for a tag that is blank or not printable, since a tag stands in the lines of
    reports, and BadRequest for one that is not UTF-8.
    """
    if tag is not None and not (tag.strip() and tag.isprintable()):
        raise UsageError(f"--tag must be printable text that is not blank, not {tag!r}")
    return None if tag is None else check_text(tag, "--tag")

"""What looks like a secret in a setting, hidden where settings are shown."""

import re
from typing import Any

from llmcli.config.headers import is_secret

# What looks like a secret in a text, and what is shown in its place.
_MASKS = (
    (re.compile(r"(://)[^/@\s]+@"), r"\1***@"),  # name and password in a URL
    (re.compile(r"([?&][\w.~-]+=)[^&#\s]+"), r"\1***"),  # a value in the query of a URL
    (re.compile(r"\b((?:Bearer|Basic) +)\S+"), r"\1***"),  # credentials of HTTP
    # A key by its prefix, such as sk-, ghp_ or AIza, or any long row of letters and digits.
    (re.compile(r"\b[a-z]{2,4}[-_](?=[\w.-]*\d)[\w.-]{16,}"), "***"),
    (re.compile(r"\b(?:AIza|AKIA|eyJ|github_pat_|glpat-)[\w.-]{12,}"), "***"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{32,}\b"), "***"),
)


def masked(value: Any) -> Any:
    """Return a copy of `value`, that of a setting, with `***` for what looks like a secret.

    That is each text in a table under a name that `is_secret`, and what has the form of a secret in
    any other text. Rather something harmless is hidden than a key shown.
    """
    if isinstance(value, dict):
        return {n: _covered(item) if is_secret(n) else masked(item) for n, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        for pattern, mask in _MASKS:
            value = pattern.sub(mask, value)
    return value


def _covered(value: Any) -> Any:
    """Return `value` with `***` for each text in it: a number, such as max_tokens, is no secret."""
    if isinstance(value, dict):
        return {name: _covered(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_covered(item) for item in value]
    return "***" if isinstance(value, str) else value

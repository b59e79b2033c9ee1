"""The time that a server asks to wait, in its headers or in the words of its error."""

import re
import time
from collections.abc import Mapping
from typing import Any

_FOR_EVER = 1e9  # seconds
# Seconds. The most by which `x-ratelimit-reset` stretches a wait, as it may speak of another limit
# than the one that was hit.
_MOST_OF_RESET = 60.0
# Larger numbers are points in time: seconds since 1970, or milliseconds.
_EPOCH, _EPOCH_MS = 1e8, 1e11
# OpenAI and Groq say "try again in 1m2.5s", Azure "retry after 39 seconds".
_IN_TEXT = (
    r"(?i)(?:try again|retry) (?:in|after) (?:(\d{1,9})h)?(?:(\d{1,9}) ?m(?!s)(?:in(?:ute)?s? ?)?)?"
    r"(?:(\d{1,9}(?:\.\d+)?) ?(ms|s))?"
)
# Go's form of a duration, as OpenAI and Groq have it: 6m0s, 1h2m, 20ms, 7.66s.
_DURATION = r"(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9}(?:\.\d+)?)(ms|s))?"
# What the two headers `remaining` and `reset` end in: the limits of requests and of tokens.
_LIMITS = ("", "-requests", "-tokens")


def told(headers: Mapping[str, str], details: list[dict[str, Any]], message: str) -> float | None:
    """Return the seconds to wait, by the headers or else by the body; None if neither names any.

    The keys of `headers` are in lower case; `details` are Google's, of an error with `message`.
    """
    wait = retry_after(headers)
    return _in_body(details, message) if wait is None else wait


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that `Retry-After` names; None if it names no time.

    Its value is a number of seconds or an HTTP date (RFC 9110, section 10.2.3). LiteLLM prefixes
    the headers that it passes on.
    """
    milliseconds = headers.get("retry-after-ms")  # OpenAI's, and Azure's
    if milliseconds and re.fullmatch(r"\d+(\.\d+)?", milliseconds.strip()):
        return min(float(milliseconds) / 1000, _FOR_EVER)
    value = headers.get("retry-after") or headers.get("llm_provider-retry-after")
    if not value:
        return None
    try:
        seconds: float | None = float(value)
    except ValueError:
        seconds = _until(value)
    return None if seconds is None or seconds != seconds else min(max(0.0, seconds), _FOR_EVER)


def _in_body(details: list[dict[str, Any]], message: str) -> float | None:
    """Return the seconds that the body asks to wait; None if it names none.

    Google says `retryDelay: "2s"` in the details, others say it in words.
    """
    for detail in details:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay", "")))
        if match:
            return min(float(match[1]), _FOR_EVER)
    match = re.search(_IN_TEXT, message)
    return _seconds(match) if match else None


def reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds, at most 60, until the limits that are used up are new; None if none is.

    `x-ratelimit-reset` and its likes count only where `remaining` says 0. Their values are
    durations ("6m0s", "1"), points in time since 1970, or dates.
    """
    waits = [
        _time_left(headers.get(f"x-ratelimit-reset{limit}", ""))
        for limit in _LIMITS
        if headers.get(f"x-ratelimit-remaining{limit}", "").strip() in ("0", "0.0")
    ]
    known = [wait for wait in waits if wait is not None]
    return min(max(known), _MOST_OF_RESET) if known else None


def _time_left(value: str) -> float | None:
    value = value.strip()
    if re.fullmatch(r"\d{1,20}(\.\d{1,20})?", value):
        number = float(value)
        if number >= _EPOCH:
            number = number / (1000 if number >= _EPOCH_MS else 1) - time.time()
        return max(0.0, number)
    if value and (match := re.fullmatch(_DURATION, value)):
        return _seconds(match)
    seconds = _until(value) if value else None
    return None if seconds is None else max(0.0, seconds)


def _seconds(match: re.Match[str]) -> float | None:
    """Return the seconds of a duration in hours, minutes and seconds or milliseconds."""
    hours, minutes, number, unit = match.groups()
    if not (hours or minutes or number):
        return None
    seconds = float(number or 0) / (1000 if unit and unit.lower() == "ms" else 1)
    return min(seconds + 60 * float(minutes or 0) + 3600 * float(hours or 0), _FOR_EVER)


def _until(date: str) -> float | None:
    """Return the seconds until a date, negative if it is past; None if it is not a date.

    It is an HTTP date or one of ISO 8601, which Anthropic's headers have.
    """
    from datetime import UTC, datetime  # noqa: PLC0415  # loaded only for a date
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # loaded only for a date

    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(date)
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            return (when - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            continue
    return None

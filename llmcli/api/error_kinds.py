"""Which exception a server's error is, by its code, its type, its words and its status.

The order is that of the most certain: a code of a spent limit, then structure, then words.
"""

import re
from collections.abc import Mapping
from typing import Any

from llmcli import errors
from llmcli.errors import LlmcliError
from llmcli.system.dataclass import dataclass, field
from llmcli.system.text import one_line

_FOR_EVER = 1e9  # seconds
_LARGEST = 1000
# In characters. It is redacted and then made shorter where it is shown; a key that was cut in half
# here would not be recognised there.
_LONGEST_MESSAGE = 65536
# The patterns are strings because they are needed only for an error: compiling them takes longer
# than to load the rest of this file.
_SPENT_CODE = r"(?i)insufficient_quota|spend_?limit|hard_?limit|out_of_credits"
TOO_MANY = 429
# 529 is "overloaded", as Anthropic and Cloudflare use it.
_TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_SPENT = (
    r"(?i)insufficient_quota|insufficient.{0,9}(credit|balance|fund)|spend.?limit|plan.?limit"
    r"|free.?(tier|model).{0,40}(limit|exhausted|exceeded|per.day)|out of credits|billing"
)
_LONG = (
    r"(?i)context.?length|context.?size|context.?window|maximum context|prompt is too long"
    r"|too.many.((input|prompt).)?tokens|exceed_context|all messages is too long"
    r"|input token count.{0,40}exceeds|prompt.?too.?long"
)
# A 400 that means the key: Gemini's reason and words, DeepSeek's, LiteLLM's, OpenAI's.
_KEY = (
    r"(?i)api_key_invalid|invalid.?api.?key|api.?key.{0,20}(not valid|invalid|expired)"
    r"|incorrect api key|authentication"
)
# Gemini's quotaId says over which time the quota counts, in words such as PerDay.
_A_DAY = r"(?i)per.?day|daily"
_IN_TEXT = r"(?i)(?:try again|retry) in (?:(\d+)m)?(\d+(?:\.\d+)?)(ms|s)"
_MODEL = (r"(?is)model.{0,80}(not found|does not exist|not exist|unknown|not available)"
                    r"|(no such|unknown|invalid) model|model_not_found|no endpoints found"
                    r"|not a valid model")  # fmt: skip


@dataclass(frozen=True)
class Report:
    """The error of a reply, in one form whatever form the server used.

    `code`, `type` and `metadata` are the server's own.
    """

    message: str
    code: int | str | None = None
    type: str = ""
    metadata: dict[str, Any] | None = None
    fields: dict[str, Any] = field(default_factory=dict)  # all that the server's error holds


def _details(report: Report) -> list[dict[str, Any]]:
    """Return Google's `details` of an error: objects that tell a delay, a quota, a reason."""
    details = report.fields.get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def delay_in(report: Report) -> float | None:
    """Return the seconds that the body asks to wait; None if it names none.

    Google says `retryDelay: "2s"` in the details, OpenAI and Groq "try again in 1m2.5s" in words.
    """
    for detail in _details(report):
        told = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay", "")))
        if told:
            return float(told[1])
    told = re.search(_IN_TEXT, report.message)
    if told is None:
        return None
    seconds = float(told[2]) / (1000 if told[3].lower() == "ms" else 1)
    return seconds + 60 * int(told[1] or 0)


def is_daily(report: Report) -> bool:
    """Return whether the quota that is spent is that of a day, as Google's `quotaId` tells."""
    violations = [one for detail in _details(report) for one in detail.get("violations") or ()]
    ids = [str(one.get("quotaId", "")) for one in violations if isinstance(one, dict)]
    return any(re.search(_A_DAY, one) for one in ids)


def says_spent(report: Report) -> bool:
    """Return whether a code, or the quota of a day, says that a limit is used up for long."""
    words = f"{report.code} {report.type}"
    return re.search(_SPENT_CODE, words) is not None or is_daily(report)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that `Retry-After` names; None if it names no time.

    Its value is a number of seconds or an HTTP date (RFC 9110, section 10.2.3). The keys of
    `headers` are in lower case. LiteLLM prefixes the headers that it passes on.
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


def _until(date: str) -> float | None:
    """Return the seconds until an HTTP date, negative if it is past; None if it is not a date."""
    from datetime import UTC, datetime  # noqa: PLC0415  # loaded only for a date
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # loaded only for a date

    try:
        when = parsedate_to_datetime(date)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return (when - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def from_report(report: Report, status: int | None = None, *, is_json: bool = True) -> LlmcliError:
    """Return `report` as the exception of the class that fits.

    `status` is the HTTP status; None for an error within a stream. Without JSON (`is_json`), a 404
    means that the endpoint does not exist, rather than the model.
    """
    number = _number(report.code) or status
    kind = _class_of(report, number, is_json=is_json)
    message = one_line(report.message, _LONGEST_MESSAGE)
    if status is not None:
        message = f"HTTP {status}: {message}"
    error = kind(
        message,
        hint=_HINTS.get(kind),
        code=report.code,
        metadata=report.metadata,
        status=status,
        transient=kind in (errors.TryLater, errors.ServerError)
        and (number is None or number in _TRANSIENT),
    )
    return error.replaced(fields=report.fields)


def _number(code: int | str | None) -> int | None:
    """Return the HTTP status that an error's `code` is, as a number or as text; None if none."""
    # A large number is not turned to text, as Python refuses to do that for thousands of digits.
    text = str(code) if isinstance(code, str) or (isinstance(code, int) and code < _LARGEST) else ""
    return int(text) if re.fullmatch(r"[1-5]\d\d", text) else None


def _class_of(report: Report, status: int | None, *, is_json: bool) -> type[LlmcliError]:
    """Return the class for the code, the type and the text of `report`, and for its status.

    The order matters. Servers use one status for several causes (429 for a rate limit and for a
    spent quota, 400 for most), so the words are looked at before the status decides alone.
    """
    words = f"{report.code} {report.type}"
    everything = f"{words} {report.message}"
    metadata = report.metadata or {}
    spent = re.search(_SPENT_CODE, words) or (
        "rate_limit" not in words and (re.search(_SPENT, everything) or is_daily(report))
    )
    if status == 402 or (status in (None, 429, 403) and spent):
        return errors.PaymentRequired
    if status == 413 or (status in (None, 400, 422, 500) and re.search(_LONG, everything)):
        return errors.TooLong
    if "content_filter" in words or "flagged_input" in metadata or "moderation" in words:
        return errors.Filtered
    if status == 429 or "rate_limit" in words:
        return errors.TryLater
    if _is_about_key(report, status):
        return errors.AuthError
    if "model_not_found" in words or (status in (None, 400, 404) and re.search(_MODEL, everything)):
        return errors.NoModel
    if status == 404:
        return errors.NoModel if is_json and "model" in everything.lower() else errors.ProtocolError
    if status is not None and 400 <= status < 500 and status not in _TRANSIENT:
        return errors.BadRequest
    if status is not None and status < 400:
        return errors.ProtocolError
    return (
        errors.BadRequest if "invalid_request" in words and status is None else errors.ServerError
    )


def _is_about_key(report: Report, status: int | None) -> bool:
    """Return whether the server refuses the key. Some say so with status 400."""
    reasons = " ".join(str(detail.get("reason", "")) for detail in _details(report))
    words = report.message if status == 400 else ""
    told = f"{report.code} {report.type} {reasons} {words}"
    return status in (401, 403, 407) or re.search(_KEY, told) is not None


_HINTS: dict[type[LlmcliError], str] = {
    errors.AuthError: "see `llmcli config show` for which key was used",
    errors.PaymentRequired: "add credits or raise the limit with the provider",
    errors.TooLong: "send less, or choose a model with a longer context",
    errors.NoModel: "choose another with -m",
    errors.ProtocolError: "no such endpoint; check base_url",
}

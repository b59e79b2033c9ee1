"""The errors that servers report, in the many forms in use, turned into exceptions of llmcli."""

import json
import re
from collections.abc import Mapping
from typing import Any

from llmcli import errors
from llmcli.api.types import Chunk
from llmcli.errors import LlmcliError
from llmcli.system.dataclass import dataclass, replace
from llmcli.system.text import one_line

# Messages that say nothing: the reason then stands in `metadata`.
_GENERIC = ("provider returned error", "", "error", "bad request", "internal server error")
_FOR_EVER = 1e9  # seconds
_LARGEST = 1000
# In characters. It is redacted and then made shorter where it is shown; a key that was cut in half
# here would not be recognised there.
_LONGEST_MESSAGE = 65536
# The patterns are strings because they are needed only for an error: compiling them takes longer
# than to load the rest of this file.
_SPENT_CODE = r"(?i)insufficient_quota|spend_?limit|hard_?limit|out_of_credits"
_TOO_MANY = 429
# Seconds. A 429 that names a shorter time is a rate limit, even if it speaks of a spent quota.
_SOON = 3600.0
# 529 is "overloaded", as Anthropic and Cloudflare use it.
_TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_SPENT = (
    r"(?i)insufficient_quota|insufficient.{0,9}(credit|balance|fund)|spend.?limit|plan.?limit"
    r"|free.?(tier|model).{0,40}(limit|exhausted|exceeded|per.day)|out of credits|billing"
)
_LONG = (
    r"(?i)context.?length|context.?size|context.?window|maximum context|prompt is too long"
    r"|too many (input )?tokens|exceed_context"
)
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


def read_error(value: Any) -> Report | None:
    """Return the error in `value`, a JSON body or event; None if it reports none.

    Known forms are `{"error": {…}}`, `{"error": "text or JSON"}`, `{"success": false, …}`,
    `{"object": "error", "message": text}` and `{"detail": text or list}`; `errors` may stand for
    `error`, and a list for its first item.
    """
    if not isinstance(value, dict):
        return None
    error = _unpacked(value.get("error") or value.get("errors"))
    if isinstance(error, dict) and error:
        return _of_object(error, value)
    if isinstance(error, str) and error:
        return Report(error, value.get("code"))
    bare = "choices" not in value and isinstance(value.get("message"), str)
    if error or bare or value.get("success") is False or value.get("object") == "error":
        return _of_object(value, {})
    if value.get("detail") and "choices" not in value:
        return Report(_detail(value["detail"]), value.get("code"))
    return None


def _unpacked(error: Any) -> Any:
    """Return the first error of a list, or the error in a text that is JSON; else `error`."""
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, str) and error.lstrip().startswith("{"):
        try:
            inner = json.loads(error)
        except (ValueError, RecursionError):
            return error
        return inner.get("error") or inner if isinstance(inner, dict) else error
    return error


def _of_object(error: dict[str, Any], outer: dict[str, Any]) -> Report:
    metadata = error.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else None
    message = error.get("message") or outer.get("message") or error.get("detail") or ""
    message = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    code = error.get("code")
    code = code if isinstance(code, (int, str)) and not isinstance(code, bool) else None
    if message.strip().rstrip(".").lower() in _GENERIC and (reason := _raw_reason(metadata)):
        message = f"{message}: {reason}" if message else reason
    return Report(message or "no reason given", code, str(error.get("type") or ""), metadata)


def _raw_reason(metadata: dict[str, Any] | None) -> str:
    """Return the upstream provider's reason, which aggregators put into `metadata.raw`.

    It is an object, JSON in a string, or plain text; "" if there is none.
    """
    raw = (metadata or {}).get("raw")
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return str(raw)
    if isinstance(raw, dict):
        inner = read_error(raw)
        return inner.message if inner else str(raw.get("message") or json.dumps(raw))
    return str(raw or "")


def _detail(detail: Any) -> str:
    """Return FastAPI's `detail` as text: it is one, or a list of `{"loc": […], "msg": text}`.

    See https://fastapi.tiangolo.com/tutorial/handling-errors/.
    """
    if isinstance(detail, list):
        return ", ".join(map(_detail_item, detail))
    return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)


def _detail_item(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    place = item.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{where}: {item.get('msg')}" if where else str(item.get("msg"))


def in_chunk(chunk: Chunk, choice: dict[str, Any] | None) -> LlmcliError | None:
    """Return the error that `chunk` or its `choice` reports; None if neither does.

    `chunk` is an event of a stream, or the whole body of a reply with status 200.
    """
    report = read_error(chunk)
    if report is None and choice and choice.get("error"):
        report = read_error({"error": choice["error"]})
    return from_report(report) if report else None


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> LlmcliError:
    """Return the error for a reply whose HTTP `status` is not 200.

    `body` is JSON, HTML or plain text; it may lack its end. The keys of `headers` are in lower
    case. The error's `retry_after` is set if the server names a time.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and value:
        value = value[0]  # Google's endpoint for Gemini wraps an error in a list
    report = read_error(value)
    if report is None and isinstance(value, dict) and isinstance(value.get("message"), str):
        report = Report(value["message"], value.get("code"))
    is_json = report is not None
    if report is None:
        report = Report(_page_text(text) or "no reason given")
    wait = retry_after(headers)
    soon = status == _TOO_MANY and wait is not None and wait < _SOON
    if soon and not re.search(_SPENT_CODE, f"{report.code} {report.type}"):
        # A server that names a time within the hour has a rate limit, even if its message speaks
        # of a quota or of billing. Only a code that says "spent" outweighs that.
        report = replace(report, type=f"{report.type} rate_limit")
    return from_report(report, status, is_json=is_json).replaced(retry_after=wait)


def _page_text(text: str) -> str:
    """Return `text` in at most 200 characters; of an HTML page its title, or its words."""
    if re.search(r"<(!doctype|html|head|body)", text[:1000], re.I):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
        text = title[1] if title else re.sub(r"<[^>]*>", " ", text)
    return one_line(text, 200)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that `Retry-After` names; None if it names no time.

    Its value is a number of seconds or an HTTP date (RFC 9110, section 10.2.3). The keys of
    `headers` are in lower case. LiteLLM prefixes the headers that it passes on.
    """
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
    return kind(
        message,
        hint=_HINTS.get(kind),
        code=report.code,
        metadata=report.metadata,
        status=status,
        transient=kind in (errors.TryLater, errors.ServerError)
        and (number is None or number in _TRANSIENT),
    )


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
        "rate_limit" not in words and re.search(_SPENT, everything)
    )
    if status == 402 or (status in (None, 429, 403) and spent):
        return errors.PaymentRequired
    if status == 413 or (status in (None, 400, 422, 500) and re.search(_LONG, everything)):
        return errors.TooLong
    if "content_filter" in words or "flagged_input" in metadata or "moderation" in words:
        return errors.Filtered
    if status == 429 or "rate_limit" in words:
        return errors.TryLater
    if status in (401, 403, 407) or "authentication" in words or "invalid_api_key" in words:
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


_HINTS: dict[type[LlmcliError], str] = {
    errors.AuthError: "see `llmcli config show` for which key was used",
    errors.PaymentRequired: "add credits or raise the limit with the provider",
    errors.TooLong: "send less, or choose a model with a longer context",
    errors.NoModel: "choose another with -m",
    errors.ProtocolError: "no such endpoint; check base_url",
}

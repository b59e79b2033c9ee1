"""Which exception a server's error is, by its codes, its status and its words.

The order is that of the most certain: the code of a spent limit or the quota of a day, then the
codes and the status, then the words.
"""

import re
from collections.abc import Mapping
from typing import Any

from llmcli import errors
from llmcli.api import delays, error_words
from llmcli.errors import LlmcliError
from llmcli.system.dataclass import dataclass, field
from llmcli.system.text import one_line

_LARGEST = 1000
# In characters. It is redacted and then made shorter where it is shown; a key that was cut in half
# here would not be recognised there.
_LONGEST_MESSAGE = 65536
TOO_MANY = 429
# 529 is "overloaded", as Anthropic and Cloudflare use it.
_TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504, 529)
# Statuses that leave the cause open, so that words decide; 500 can be the answer to a mistake of
# the client's. None is an error within a stream.
_OPEN = (None, 400, 404, 422, 500)
# Seconds. A 429 that names a shorter time is a rate limit, even if it speaks of a spent quota.
_SOON = 3600.0
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Report:
    """The error of a reply, in one form whatever form the server used.

    `code`, `type` and `metadata` are the server's own. `fields` are all that its error holds.
    """

    message: str
    code: int | str | None = None
    type: str = ""
    metadata: dict[str, Any] | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def details(self) -> list[dict[str, Any]]:
        """Return Google's `details` of the error: objects that tell a delay, a quota, a reason."""
        details = self.fields.get("details")
        listed = details if isinstance(details, list) else []
        return [detail for detail in listed if isinstance(detail, dict)]

    @property
    def codes(self) -> str:
        """Return all that stands in the error's fields for codes, joined by spaces."""
        inner = self.fields.get("innererror")  # Azure's
        reasons = [*self.details, inner if isinstance(inner, dict) else {}]
        words = [self.code, self.type, self.fields.get("status"), self.fields.get("reason")]
        words += [value for one in reasons for value in (one.get("reason"), one.get("code"))]
        return " ".join(str(word) for word in words if isinstance(word, (str, int)))

    @property
    def is_daily(self) -> bool:
        """Return whether the quota that is spent is that of a day, as Google's `quotaId` tells."""
        violations = [one for detail in self.details for one in _list(detail.get("violations"))]
        ids = [str(one.get("quotaId", "")) for one in violations if isinstance(one, dict)]
        return any(re.search(error_words.PER_DAY, one) for one in ids)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def from_report(
    report: Report,
    status: int | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
    *,
    is_json: bool = True,
) -> LlmcliError:
    """Return `report` as the exception of the class that fits.

    `status` is the HTTP status; None for an error within a stream. The keys of `headers` are in
    lower case. Without JSON (`is_json`), a 404 means that the endpoint does not exist, rather than
    the model. The error's `retry_after` is set if the server names a time.
    """
    number = _number(report.code) or status
    wait = delays.told(headers, report.details, report.message)
    kind = _class_of(report, number, wait, is_json=is_json)
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
    reset = delays.reset(headers) if kind is errors.TryLater else None
    return error.replaced(fields=report.fields, retry_after=wait, reset=reset)


def _number(code: int | str | None) -> int | None:
    """Return the HTTP status that an error's `code` is, as a number or as text; None if none."""
    # A large number is not turned to text, as Python refuses to do that for thousands of digits.
    text = str(code) if isinstance(code, str) or (isinstance(code, int) and code < _LARGEST) else ""
    return int(text) if re.fullmatch(r"[1-5]\d\d", text) else None


def _class_of(
    report: Report, status: int | None, wait: float | None, *, is_json: bool
) -> type[LlmcliError]:
    """Return the class for `report` with its `status`, where `wait` are the seconds it names.

    The order matters. Servers use one status for several causes: 429 for a rate limit and for a
    spent quota, 400 for most.
    """
    by_code = error_words.kind_of_code(report.codes)
    if by_code is errors.PaymentRequired or report.is_daily or status == 402:
        return errors.PaymentRequired
    if by_code is errors.TooLong or status == 413:
        return errors.TooLong
    if by_code is errors.Filtered or "flagged_input" in (report.metadata or {}):
        return errors.Filtered
    if status == TOO_MANY or "rate_limit" in report.codes:
        return _of_limit(report, wait)
    if by_code is errors.AuthError or status in (401, 403, 407):
        return errors.PaymentRequired if _is_spent(report) and status == 403 else errors.AuthError
    if by_code or _names_the_model(report, status):
        return by_code or errors.NoModel
    by_words = error_words.kind_of_words(report.message) if status in _OPEN else None
    return by_words or _of_status(report, status, is_json=is_json)


def _of_limit(report: Report, wait: float | None) -> type[LlmcliError]:
    """Return the class for a limit that was hit: later, or not for a day or longer.

    A server that names a time within the hour has a rate limit, even if its message speaks of a
    quota or of billing.
    """
    soon = "rate_limit" in report.codes or (wait is not None and wait < _SOON)
    return errors.TryLater if soon or not _is_spent(report) else errors.PaymentRequired


def _is_spent(report: Report) -> bool:
    """Return whether the words say that a limit is used up for long."""
    spent = error_words.kind_of_words(report.message) is errors.PaymentRequired
    return spent or re.search(error_words.SPENT, f"{report.codes} {report.message}") is not None


def _names_the_model(report: Report, status: int | None) -> bool:
    """Return whether `param` says that it is the model which the server does not take."""
    return report.fields.get("param") == "model" and status in (400, 404)


def _of_status(report: Report, status: int | None, *, is_json: bool) -> type[LlmcliError]:
    """Return the class for a status of which neither code nor words say more."""
    if status is None:
        if _is_spent(report):
            return errors.PaymentRequired
        invalid = "invalid_request" in report.codes
        return errors.BadRequest if invalid else errors.ServerError
    if status == 404:
        told = f"{report.codes} {report.message}".lower()
        return errors.NoModel if is_json and "model" in told else errors.ProtocolError
    if 400 <= status < 500 and status not in _TRANSIENT:
        return errors.BadRequest
    return errors.ProtocolError if status < 400 else errors.ServerError


_HINTS: dict[type[LlmcliError], str] = {
    errors.AuthError: "see `llmcli config show` for which key was used",
    errors.PaymentRequired: "add credits or raise the limit with the provider",
    errors.TooLong: "send less, or choose a model with a longer context",
    errors.NoModel: "choose another with -m",
    errors.ProtocolError: "no such endpoint; check base_url",
}

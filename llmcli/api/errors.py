"""The errors that servers report, in the many forms in use, turned into exceptions of llmcli."""

import json
import re
from collections.abc import Mapping
from typing import Any

from llmcli.api.error_kinds import Report, from_report
from llmcli.api.types import Chunk
from llmcli.errors import LlmcliError, ProtocolError
from llmcli.system.text import one_line

# Messages that say nothing: the reason then stands in `metadata`.
_GENERIC = ("provider returned error", "", "error", "bad request", "internal server error")

# What nginx says, with status 400, to a client without a certificate or with a wrong one.
_NO_CERTIFICATE = re.compile("(?i)no required ssl certificate|the ssl certificate error")


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
    kind = str(error.get("type") or error.get("status") or "")
    return Report(message or "no reason given", code, kind, metadata, error)


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
    error = from_report(report, status, headers, is_json=is_json)
    return _of_certificate(error) if _NO_CERTIFICATE.search(report.message) else error


def _of_certificate(error: LlmcliError) -> LlmcliError:
    """Return `error`, by which nginx says that TLS brought no certificate, as it would end TLS."""
    if error.status not in (400, 495, 496):
        return error
    return ProtocolError(
        error.message, hint="name a certificate in client_cert", status=error.status
    )


def _page_text(text: str) -> str:
    """Return `text` in at most 200 characters; of an HTML page its title, or its words."""
    if re.search(r"<(!doctype|html|head|body)", text[:1000], re.I):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
        text = title[1] if title else re.sub(r"<[^>]*>", " ", text)
    return one_line(text, 200)

"""What servers say of a bad key, an unknown model and too long a prompt, in their own words."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from llmcli.api import delays, errors
from llmcli.api.error_words import ROWS
from tests.support.endpoint import Script, Server, answer, chunk, in_turn
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


def of(status: int, error: Any, **headers: str) -> int:
    """The exit code for an error reply."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(error if isinstance(error, list) else {"error": error}).encode()
    return int(errors.from_response(status, named, body).exit_code)


def google(reason: str, **fields: Any) -> list[Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return [{"error": {"code": 400, **fields, "details": [{"@type": kind, "reason": reason}]}}]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, {"message": "Incorrect API key provided: sk-…", "code": "invalid_api_key"}),
        (400, "Incorrect API key provided: xa***. You can obtain an API key from the console."),
        (400, {"message": "invalid x-api-key", "type": "authentication_error"}),
        (400, google("API_KEY_INVALID", message="API key not valid.")),
        (400, google("API_KEY_EXPIRED", message="API key expired. Please renew the API key.")),
        (
            400,
            {"message": "Missing or invalid Authorization header.", "status": "INVALID"},
        ),
        (400, {"message": "Invalid API key provided", "type": "invalid_api_key", "code": 400}),
        (400, {"message": "Authentication Fails (no such user)", "type": "invalid_request_error"}),
        (400, {"message": "Invalid API Key", "type": "authentication_error", "code": 400}),
        (400, {"message": "Authentication Error, No api key passed in.", "type": "auth_error"}),
        (500, {"message": "Authentication Error, Invalid proxy server token passed"}),
    ],
)
def test_a_bad_key(status: int, error: Any) -> None:
    assert of(status, error) == 77


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, {"message": "The model `x` does not exist or you do not have access to it."}),
        (400, {"message": "This is no chat model", "param": "model"}),
        (404, {"type": "not_found_error", "message": "model: claude-x"}),
        (404, [{"error": {"message": "models/x is not found for API version v1beta, or is not…"}}]),
        (400, [{"error": {"message": "* GenerateContentRequest.model: unexpected model name"}}]),
        (400, {"message": "Invalid model 'x'. See the documentation.", "type": "invalid_model"}),
        (400, {"message": "Model Not Exist", "type": "invalid_request_error"}),
        (404, {"message": "model 'x' not found, try pulling it first", "type": "api_error"}),
        (400, {"message": "model 'x' not found", "type": "invalid_request_error"}),
        (
            400,
            {"message": "/chat/completions: Invalid model name passed in model=x."},
        ),
        (400, {"message": "The model `x` has been decommissioned", "code": "model_decommissioned"}),
        (400, {"message": "x is not a valid model ID", "code": 400}),
        (404, {"message": "No endpoints found for x.", "code": 404}),
        (404, {"message": "The API deployment does not exist.", "code": "DeploymentNotFound"}),
        (400, {"message": "Unknown model: x", "code": "unknown_model"}),
        (404, {"message": "Not found the model x or Permission denied"}),
    ],
)
def test_an_unknown_model(status: int, error: Any) -> None:
    assert of(status, error) == 81


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "This model's maximum context length is 8192 tokens. However, …"}),
        (400, {"message": "too many", "code": "context_length_exceeded"}),
        (400, {"message": "prompt is too long: 201 tokens > 200 maximum"}),
        (400, {"message": "input length and `max_tokens` exceed context limit: 1 + 2 > 2"}),
        (413, {"message": "Request exceeds the maximum size", "type": "request_too_large"}),
        (400, [{"error": {"message": "The input token count (9) exceeds the maximum number of…"}}]),
        (400, {"message": "The total length is too long", "type": "too_many_prompt_tokens"}),
        (400, {"message": "the request exceeds the available context size, try increasing it"}),
        (400, {"message": "no", "type": "exceed_context_size_error", "n_ctx": 4096}),
        (500, {"message": "the input length exceeds the context length"}),
        (400, "prompt too long; exceeded max context length by 11 tokens"),
        (400, {"message": "litellm.BadRequestError: ContextWindowExceededError: …"}),
        (400, {"message": "This model's maximum prompt length is 9 but the request contains 10."}),
        (400, {"message": "Prompt contains 9 tokens, too large for model with 8 maximum context"}),
        (400, {"message": "Input is too long for requested model."}),
        (422, {"message": "`inputs` must have less than 1024 tokens. Given: 2000"}),
    ],
)
def test_too_long(status: int, error: Any) -> None:
    assert of(status, error) == 80


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
        "The model does not support parameter X; unknown field logprobs",
        "the tool 'authentication' has no parameters",
        "invalid model response format",
        "the colour is not valid",
        "the model called a tool that was not found",
        "The model asked for the tool x, not found",
    ],
)
def test_other_mistakes_are_none_of_these(message: str) -> None:
    assert of(400, {"message": message, "type": "invalid_request_error"}) == 65


@pytest.mark.parametrize(
    ("status", "error", "headers", "code"),
    [
        (429, {"message": "no", "code": "insufficient_quota"}, {"retry_after": "1"}, 83),
        (429, {"message": "no", "code": "billing_hard_limit_reached"}, {"retry_after": "1"}, 83),
        (429, {"message": "no", "code": "SPEND_LIMIT_EXCEEDED"}, {"retry_after": "1"}, 83),
        (429, {"message": "no", "type": "exceeded_current_quota_error"}, {}, 83),
        (400, {"message": "Your credit balance is too low to access the API."}, {}, 83),
        (400, {"message": "Budget has been exceeded!", "type": "budget_exceeded"}, {}, 83),
        (403, {"message": "Your team has used all available credits"}, {}, 83),
        (429, {"message": "You exceeded your current quota, check your billing"}, {}, 83),
        (429, {"message": "quota; check your billing. Please retry in 21s."}, {}, 75),
        (429, {"message": "quota; check your billing"}, {"retry_after": "20"}, 75),
        (429, {"message": "see our billing page", "code": "rate_limit_exceeded"}, {}, 75),
        (400, {"message": "no", "code": "content_policy_violation"}, {}, 82),
        (400, {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, {}, 82),
    ],
)
def test_what_is_spent_and_what_passes(
    status: int, error: Any, headers: dict[str, str], code: int
) -> None:
    assert of(status, error, **headers) == code


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("try again in 1m2.5s", 62.5), ("try again in 20ms", 0.02), ("retry in 1h1m", 3660)],
        *[("Please retry after 39 seconds.", 39), ("try again in 2 minutes", 120)],
        *[("try again in a while", None), ("try again in 999999999999 seconds", None)],
    ],
)
def test_the_time_to_wait_in_words(text: str, seconds: float | None) -> None:
    assert delays.told({}, [], text) == seconds


def limited(reset: str, remaining: str = "0") -> dict[str, str]:
    return {"x-ratelimit-remaining-tokens": remaining, "x-ratelimit-reset-tokens": reset}


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        *[("6m0s", 60), ("7.66s", 7.66), ("20ms", 0.02), ("12", 12), ("1h2m", 60), ("0", 0)],
        *[("soon", None), ("", None), ("999999999999999999999999", None)],
    ],
)
def test_the_time_of_a_limit_that_is_used_up(reset: str, seconds: float | None) -> None:
    assert delays.reset(limited(reset)) == seconds
    assert delays.reset(limited(reset, "5")) is None


@pytest.mark.parametrize("form", ["{:.0f}", "{:.0f}000", "%Y-%m-%dT%H:%M:%SZ", "date"])
def test_points_in_time(form: str) -> None:
    soon = time.time() + 1000
    text = form.format(soon)
    if "%" in form or form == "date":
        pattern = "%a, %d %b %Y %H:%M:%S GMT" if form == "date" else form
        text = time.strftime(pattern, time.gmtime(soon))
    assert delays.reset(limited(text)) == 60
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1e9))
    assert delays.reset(limited(past)) == 0


def test_a_limit_that_is_used_up_stretches_a_wait_and_ends_nothing(
    run: Run, endpoint: Endpoint
) -> None:
    def refusal(reset: str) -> Script:
        headers = ("x-ratelimit-remaining: 0", f"x-ratelimit-reset: {reset}", "Retry-After: 0")
        return lambda wire, _: wire.json({"error": {"message": "slow"}}, "429 X", *headers)

    endpoint(in_turn(refusal("30ms"), answer("good")))
    done = run("ask", "--json", "hi")
    assert json.loads(done.stdout)["llmcli"]["attempts"][1]["waited"] == 0.03
    endpoint(in_turn(refusal("59m"), answer("good")))
    assert run("ask", "--deadline", "50", "hi").stdout == b"good\n"


ERROR = b'error: {"code": 500, "message": "the cache is too small", "type": "server_error"}'


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\n\ndata: [DONE]\n\n"])
@pytest.mark.parametrize("text", ["", "Blue"])
def test_an_error_in_a_field_of_the_stream(
    run: Run, endpoint: Endpoint, text: str, end: bytes
) -> None:
    begun = b"data: " + json.dumps(chunk(text)).encode() + b"\n\n" if text else b""
    for body in (begun + ERROR + end, begun + b": ping\nid: 1\n" + ERROR + b"\n\n"):
        endpoint(lambda wire, _, b=body: wire.whole(b, "200 OK", "text/event-stream"))  # type: ignore[misc]
        done = run("ask", "--retries", "0", "hi")
        assert done.returncode == 69
        assert "the cache is too small" in one_line(done.stderr)
        assert done.stdout == text.encode()


@pytest.mark.parametrize(
    ("arguments", "says", "lacks"),
    [
        ((), "give --max-tokens", "--allow-cut"),
        (("--max-tokens", "50", "--json"), "raise --max-tokens, which was 50", "--allow-cut"),
        (("-o", "max_completion_tokens=7"), "which was 7", "give"),
        (("--allow-cut",), "give --max-tokens", "--allow-cut"),
    ],
)
def test_advice_is_never_what_was_done(
    run: Run, endpoint: Endpoint, arguments: tuple[str, ...], says: str, lacks: str
) -> None:
    endpoint(
        lambda wire, _: wire.json(chunk(None, message={"content": ""}, finish_reason="length"))
    )
    told = one_line(run("ask", *arguments, "--no-stream", "hi").stderr)
    assert says in told and lacks not in told


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        # In the words of the pages that ROWS names.
        (400, {"message": "Budget has been exceeded! Current cost: 26.075, Max budget: 0.25"}, 83),
        (400, {"message": "ExceededBudget: End User=x over budget. Spend=0.0008"}, 83),
        (429, {"message": "User: x, exceeded budget for model=m", "type": "budget_exceeded"}, 83),
        (500, {"message": "Context size has been exceeded.", "type": "server_error"}, 80),
        (500, {"message": "Requested tokens (2285) exceed context window of 2048"}, 80),
        (400, {"message": "request (4390 tokens) exceeds the available context size (4096)"}, 80),
        (400, {"message": "The response was filtered due to the prompt triggering Azure OpenAI's "
                          "content management policy. Please modify your prompt"}, 82),
        (400, {"message": "<400> InternalError.Algo.DataInspectionFailed: Input text data may "
                          "contain inappropriate content.", "code": "invalid_parameter_error"}, 82),
        (400, {"message": "<400> InternalError.Algo.InvalidParameter: Range of input length "
                          "should be [1, 983616]", "code": "invalid_parameter_error"}, 80),
        (404, {"type": "not_found_error", "message": "model: claude-3-5-sonnet-20241022 "}, 81),
    ],
)  # fmt: skip
def test_what_servers_were_quoted_to_say(status: int, error: Any, code: int) -> None:
    assert of(status, error) == code


def test_every_row_has_a_source_that_can_be_opened() -> None:
    for row in ROWS:
        assert row.codes or row.words
        pages = row.source.removeprefix("unconfirmed: ").split()
        assert pages and all(page.startswith("https://") for page in pages), row

"""Fields that llmcli adds by itself and a server refuses: asked again without them, once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.api.errors import from_response
from llmcli.api.refused_fields import refuses
from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]

# How servers say that they do not know a field: the status and the body of each.
REFUSALS: dict[str, tuple[int, Any]] = {
    "OpenAI": (
        400,
        {
            "error": {
                "message": "Unrecognized request argument supplied: FIELD",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            }
        },
    ),
    "OpenAI, newer": (
        400,
        {
            "error": {
                "message": "Unsupported parameter: 'FIELD' is not supported with this model.",
                "type": "invalid_request_error",
                "param": "FIELD",
                "code": "unsupported_parameter",
            }
        },
    ),
    "Groq": (400, {"error": {"message": "property 'FIELD' is unsupported"}}),
    "Mistral": (
        422,
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", "FIELD"],
                    "msg": "Extra inputs are not permitted",
                }
            ]
        },
    ),
    "Google": (
        400,
        {
            "error": {
                "code": 400,
                "message": 'Invalid JSON payload. Unknown name "FIELD": Cannot find field.',
                "status": "INVALID_ARGUMENT",
            }
        },
    ),
    "Rust": (
        422,
        {"error": "unknown field `FIELD`, expected one of `model`, `messages`, `max_tokens`"},
    ),
    "with advice": (
        400,
        {"error": {"message": "FIELD is not supported here. Use max_completion_tokens instead"}},
    ),
    "with a reason": (400, {"error": {"message": "refused because FIELD is not supported"}}),
    "Go": (400, {"error": {"message": 'json: unknown field "FIELD"'}}),
    "LiteLLM": (
        400,
        {
            "error": {
                "message": "litellm.UnsupportedParamsError: x does not support parameters: "
                "['FIELD'], for model=m."
            }
        },
    ),
    "Python": (500, {"error": {"message": "create() got an unexpected keyword argument 'FIELD'"}}),
    "Bedrock": (400, {"message": "#: extraneous key [FIELD] is not permitted"}),
}
OTHERS: list[tuple[int, str]] = [
    (400, "max_tokens is too large: 100000. This model supports at most 4096 tokens"),
    (400, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
    (400, "Unrecognized request argument supplied: temperatur. Did you mean max_tokens?"),
    (422, "unknown field `temperatur`, expected one of `max_tokens`, `stream_options`"),
    (429, "Unsupported parameter: max_tokens"),
    (400, "Unsupported parameter: 'top_k' is not supported."),
]


def named(field: str, body: Any) -> bytes:
    return json.dumps(body).replace("FIELD", field).encode()


def choosy(*unknown: str, refusal: tuple[int, Any] = REFUSALS["OpenAI"]) -> Script:
    """An endpoint that refuses each request with a field that is `unknown` to it."""

    def script(wire: Wire, request: Request) -> None:
        found = [name for name in unknown if name in request.json]
        if found:
            status, body = refusal
            wire.whole(named(found[0], body), f"{status} No", "application/json")
        elif request.json["stream"]:
            answer("fine")(wire, request)
        else:
            message = {"role": "assistant", "content": "fine"}
            wire.json({"choices": [{"message": message, "finish_reason": "stop"}]})

    return script


@pytest.mark.parametrize("who", REFUSALS)
@pytest.mark.parametrize("field", ["stream_options", "max_tokens"])
def test_a_refusal_by_name_is_known(who: str, field: str) -> None:
    status, body = REFUSALS[who]
    error = from_response(status, {}, named(field, body))
    assert refuses(error, field)
    assert not refuses(error, "max_completion_tokens")


@pytest.mark.parametrize(("status", "message"), OTHERS)
def test_other_complaints_are_no_refusals(
    run: Run, endpoint: Endpoint, status: int, message: str
) -> None:
    server = endpoint(lambda wire, _: wire.json({"error": {"message": message}}, f"{status} No"))
    done = run("ask", "-n", "--retries", "0", "--max-tokens", "9", "hi")
    assert done.returncode != 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("who", REFUSALS)
def test_what_is_refused_is_left_out_once(run: Run, endpoint: Endpoint, who: str) -> None:
    server = endpoint(choosy("stream_options", refusal=REFUSALS[who]))
    done = run("ask", "-n", "-v", "--retries", "0", "--json", "hi")
    assert done.returncode == 0, done.stderr
    first, second = server.requests
    assert {**first.json, "stream_options": 0} == {**second.json, "stream_options": 0}
    assert "stream_options" not in second.json
    assert b"the server refuses stream_options: asked again without it" in done.stderr
    attempts = json.loads(done.stdout)["llmcli"]["attempts"]
    assert [attempt["status"] for attempt in attempts] == [REFUSALS[who][0], 200]
    assert "stream_options" in attempts[0]["reason"]
    assert run("ask", "-n", "-q", "hi").stderr == b""


@pytest.mark.parametrize(
    ("model", "refused", "used"),
    [
        ("m", "max_tokens", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens", "max_tokens"),
    ],
)
def test_a_token_limit_is_renamed_and_never_dropped(
    run: Run, endpoint: Endpoint, config: Config, model: str, refused: str, used: str
) -> None:
    server = endpoint(choosy("stream_options", refused))
    done = run("ask", "-n", "-m", model, "--max-tokens", "7", "--retries", "0", "hi")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 3
    last = server.requests[-1].json
    assert last[used] == 7
    assert not {refused, "stream_options"} & last.keys()
    config("[prices]\n'*' = { prompt = 1, completion = 1 }\n")
    for limit in ([], ["--max-cost", "1"]):
        server = endpoint(choosy("max_tokens", "max_completion_tokens"))
        done = run("ask", "-n", "-m", model, "--max-tokens", "7", "--retries", "0", *limit, "hi")
        assert done.returncode == 65
        assert len(server.requests) == 2
        assert all(request.json.get(refused, 7) == 7 for request in server.requests)


@pytest.mark.parametrize("option", ["max_tokens=7", 'stream_options={"include_usage": true}'])
def test_what_the_user_gave_stays(run: Run, endpoint: Endpoint, option: str) -> None:
    server = endpoint(choosy(option.partition("=")[0]))
    done = run("ask", "-n", "--retries", "0", "-o", option, "hi")
    assert done.returncode == 65
    assert "Unrecognized request argument" in one_line(done.stderr)
    assert len(server.requests) == 1


def test_null_takes_out_what_llmcli_adds(run: Run, endpoint: Endpoint, config: Config) -> None:
    server = endpoint(answer("ok"))
    config('max_tokens = 9\nreasoning = "low"\n')
    fields = ("max_tokens", "max_completion_tokens", "reasoning", "stream_options")
    for out in (
        ("stream_options", "max_tokens", "reasoning"),
        ("stream_options", "max_completion_tokens", "reasoning_effort"),
    ):
        options = [word for name in out for word in ("-o", f"{name}=null")]
        assert run("ask", "-n", "-m", "gpt-5", *options, "hi").returncode == 0
        assert not set(fields) & server.requests[-1].json.keys()


def test_map_learns_it_once(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(choosy("stream_options", "max_tokens"))
    lines = "".join(f"{n}\n" for n in range(9)).encode()
    options = ("--jobs", "1", "--max-tokens", "5", "--retries", "0")
    done = run("map", "-q", *options, "Say {}", input=lines)
    assert (done.returncode, done.stdout) == (0, b"fine\n" * 9)
    assert len(server.requests) == 9 + 2
    assert server.requests[-1].json["max_completion_tokens"] == 5


def test_a_request_of_a_batch_file_keeps_its_own(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = endpoint(choosy("max_tokens"))
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 4}
    line = json.dumps({"custom_id": "a", "body": body}) + "\n"
    done = run("map", "--requests", "-", "--max-tokens", "5", "--retries", "0", input=line.encode())
    assert done.returncode == 3
    assert [request.json.get("max_tokens") for request in server.requests] == [4]


def test_names_of_fields_by_provider(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    server = endpoint(answer("ok"))
    for name in ("LLMCLI_BASE_URL", "LLMCLI_API_KEY"):
        del env[name]
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"}
    asked = ("ask", "-n", "--profile", "openai", "--max-tokens", "5", "--reasoning")
    assert run(*asked, "low", "hi").returncode == 0
    assert server.only.json["max_completion_tokens"] == 5
    assert server.only.json["reasoning_effort"] == "low"
    done = run(*asked, "2000", "hi")
    assert done.returncode == 2
    assert "this provider takes no number of tokens" in one_line(done.stderr)
    done = run(*asked, "lots", "hi")
    assert "-o reasoning_effort='\"lots\"'" in one_line(done.stderr)
    done = run("ask", "-n", "--profile", "anthropic", "--reasoning", "low", "hi")
    assert done.returncode == 2
    assert "this provider takes a number of tokens" in one_line(done.stderr)
    dry = run("ask", "-n", "--profile", "anthropic", "--reasoning", "2000", "--dry-run", "hi")
    assert json.loads(dry.stdout)["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert len(server.requests) == 1


def test_a_refusal_amid_a_stream(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, request: Request) -> None:
        if "stream_options" not in request.json:
            return answer("fine")(wire, request)
        wire.head()
        wire.event({"error": {"code": 400, "message": "unknown field stream_options"}})
        return wire.end()

    server = endpoint(script)
    done = run("ask", "-n", "--retries", "0", "hi")
    assert done.stdout == b"fine\n"
    assert len(server.requests) == 2

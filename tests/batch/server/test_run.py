"""A run of `map --batch`: what is sent, and that its answers are those of a live run."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import Batches, answered, completes, reply
from tests.support.endpoint import Request, Wire
from tests.support.mapping import rows_in, start
from tests.support.program import CITY, Run, one_line
from tests.support.waiting import wait_until

RECORDS = b"one\ntwo\nthree\ntwo\n"


def test_text_comes_out_in_order(run: Run, batches: Batches, tmp_path: Path) -> None:
    done = run("map", "--batch", "-O", "out", "say {}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == b"SAY ONE\nSAY TWO\nSAY THREE\nSAY TWO\n"
    assert b"4 done" in done.stderr and b"1 requests" not in done.stderr
    assert batches.count("POST /files") == batches.count("POST /batches") == 1
    assert b"batch" not in (tmp_path / "out.progress").read_bytes()
    assert not (tmp_path / "out.unfinished").exists()


def test_a_request_is_that_of_a_live_run(run: Run, batches: Batches) -> None:
    options = ("-s", "be short", "--max-tokens", "9", "--temperature", "0", "-o", "user=me")
    run("map", "--batch", "-O", "out", *options, "say {}", input=b"one\n")
    [request] = batches.requests_in("file-1")
    assert request["method"] == "POST" and request["url"] == "/v1/chat/completions"
    assert request["body"] == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be short"},
            {"role": "user", "content": "say one"},
        ],
        "max_tokens": 9,
        "temperature": 0.0,
        "user": "me",
    }
    [batch] = batches.batches.values()
    assert batch["endpoint"] == "/v1/chat/completions" and batch["completion_window"] == "24h"
    assert set(batch["metadata"]) == {"llmcli_run", "llmcli_part"}
    assert batches.files["file-1"]["filename"].startswith("llmcli-")


@pytest.mark.parametrize("form", [["--json"], ["--csv"], ["--one-line"], ["--json", "--unordered"]])
def test_a_live_run_says_the_same(
    run: Run, batches: Batches, tmp_path: Path, form: list[str]
) -> None:
    def live(wire: Wire, request: Request) -> None:
        wire.json(answered({"custom_id": "", "body": request.json})["response"]["body"])

    rows = b"name,n\napple,1\npear,2\n"
    prompt = "{name} is\n{n}"
    done = run("map", "--batch", "-O", "batch", *form, prompt, input=rows)
    assert done.returncode == 0, done.stderr.decode()
    batches.faults["POST /chat/completions"] = live
    assert run("map", "-O", "live", *form, "-j", "1", prompt, input=rows).returncode == 0
    told, live_told = (_comparable(tmp_path / name) for name in ("batch", "live"))
    assert told == live_told


def _comparable(path: Path) -> Any:
    if not path.read_bytes().startswith(b"{"):
        return path.read_text()
    rows = rows_in(path)
    for row in rows:
        del row["llmcli"]["seconds"], row["llmcli"]["request_id"]
    return rows


def test_a_batch_file_keeps_its_own_ids(run: Run, batches: Batches, tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    lines = [
        {"custom_id": "a", "body": {**body, "model": "m1"}},
        {"custom_id": "b", "body": {**body, "model": "m2"}},
        {"custom_id": "c"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = run("map", "--batch", "--requests", "in.jsonl", "-O", "out")
    assert done.returncode == 3, done.stderr.decode()
    rows = rows_in(tmp_path / "out")
    assert [row["custom_id"] for row in rows] == ["a", "b", "c"]
    assert [row["response"] and row["response"]["status_code"] for row in rows] == [200, 200, None]
    # A batch has one model.
    assert sorted(b["request_counts"]["total"] for b in batches.batches.values()) == [1, 1]


def test_the_file_is_split_at_the_limit_of_lines(
    run: Run, batches: Batches, tmp_path: Path
) -> None:
    records = b"".join(b"%d\n" % number for number in range(50_003))
    done = run("map", "--batch", "-O", "out", "{}", input=records)
    assert done.returncode == 0, done.stderr.decode()
    assert [b["request_counts"]["total"] for b in batches.batches.values()] == [50_000, 3]
    assert (tmp_path / "out").read_bytes() == records


def test_failures_have_their_codes(run: Run, batches: Batches, tmp_path: Path) -> None:
    def advance(server: Batches, batch: dict[str, Any]) -> None:
        one, two, three, four = server.requests_of(batch)
        refused = {"error": {"message": "too long", "code": "context_length_exceeded"}}
        cut = answered(two)
        cut["response"]["body"]["choices"][0]["finish_reason"] = "length"
        output = [answered(one), cut, answered(four, "")]
        server.end(batch, output, [reply(three, 400, refused)])

    batches.advance = advance
    done = run("map", "--batch", "--json", "-O", "out", "{}", input=b"1\n2\n3\n4\n")
    assert done.returncode == 3
    rows = rows_in(tmp_path / "out")
    assert [row["llmcli"]["exit_code"] for row in rows] == [0, 86, 80, 69]
    assert b"1 of 4 done, 3 failed" in done.stderr


def test_a_schema_is_checked(run: Run, batches: Batches, tmp_path: Path) -> None:
    def advance(server: Batches, batch: dict[str, Any]) -> None:
        good, bad = server.requests_of(batch)
        assert good["body"]["response_format"]["type"] == "json_schema"
        server.end(batch, [answered(good, '{"city": "Rome"}'), answered(bad, '{"town": 1}')])

    batches.advance = advance
    options = ("--json", "--schema", json.dumps(CITY))
    done = run("map", "--batch", "-O", "out", *options, "{}", input=b"1\n2\n")
    assert done.returncode == 3
    rows = rows_in(tmp_path / "out")
    assert [row["llmcli"]["exit_code"] for row in rows] == [0, 65]
    assert rows[0]["llmcli"]["parsed"] == {"city": "Rome"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-O", "out", "--repair", "2", "--schema", "{}"], "--repair"),
        (["-O", "out", "--cluster", "local"], "--cluster"),
        ([], "-O"),
        (["-O", "-"], "-O"),
        (["-O", "/dev/null"], "regular file"),
        (["-O", "out", "-m", "local"], "no batches"),
        (["-O", "out", "--profile", "mistral"], "openai"),
    ],
)
def test_what_a_batch_cannot_do_is_refused(
    run: Run, batches: Batches, env: dict[str, str], options: list[str], words: str
) -> None:
    env["MISTRAL_API_KEY"] = "k"
    if "--profile" in options:
        del env["LLMCLI_BASE_URL"]
    done = run("map", "--batch", *options, "{}", input=b"1\n")
    assert done.returncode == 2, done.stderr
    assert words in one_line(done.stderr)
    assert batches.log == []


def test_tools_are_not_run(run: Run, batches: Batches, tools: Any) -> None:
    done = run("map", "--batch", "-O", "out", *tools(weather="echo sun"), "{}", input=b"1\n")
    assert done.returncode == 2 and "--run-tools" in one_line(done.stderr)


def test_a_server_without_batches_is_named(run: Run, batches: Batches) -> None:
    page = b"<html>", "404 Not Found", "text/html"
    batches.faults["POST /files"] = lambda wire, _: wire.whole(*page)
    done = run("map", "--batch", "-O", "out", "{}", input=b"1\n")
    assert done.returncode == 76 and b"has no /files" in done.stderr
    batches.faults.clear()
    assert run("map", "--batch", "-O", "out", "--resume", "{}", input=b"1\n").returncode == 0


def test_no_records(run: Run, batches: Batches) -> None:
    done = run("map", "--batch", "-O", "out", "{}", input=b"")
    assert done.returncode == 0 and b"0 records" in done.stderr
    assert batches.log == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_batch_to_run(
    run: Run, batches: Batches, env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    batches.advance = lambda *_: None
    (tmp_path / "in").write_bytes(RECORDS)
    process = start(env, tmp_path, "--batch", "-O", "out")
    batches.wait_for("GET /batches/.*")
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == -number
    assert b"--resume" in stderr and b"--cancel" in stderr
    batches.advance = completes(1)
    assert run("map", "-O", "out", "--resume", "{}", input=RECORDS).returncode == 0
    assert len(batches.batches) == 1


def test_a_server_that_is_down_is_waited_for(
    batches: Batches, env: dict[str, str], tmp_path: Path
) -> None:
    def down(wire: Wire, _request: Request) -> None:
        wire.json({"error": {"message": "down"}}, "503 Busy", "Retry-After: 0.01")

    batches.faults["GET /batches/.*"] = down
    (tmp_path / "in").write_bytes(RECORDS)
    process = start(env, tmp_path, "--batch", "-O", "out")
    batches.wait_for("GET /batches/.*", 6)
    batches.faults.clear()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr.decode()
    assert stderr.count(b"down") == 1


def test_another_machine_goes_on(run: Run, batches: Batches, tmp_path: Path) -> None:
    assert run("map", "--detach", "-O", "out", "{}", input=RECORDS).returncode == 0
    there = tmp_path / "there"
    there.mkdir()
    os.rename(tmp_path / "out.progress", there / "out.progress")
    done = run("map", "--batch", "-O", "out", "--resume", "{}", input=RECORDS, cwd=there)
    assert done.returncode == 0, done.stderr.decode()
    assert (there / "out").read_bytes() == RECORDS.upper()
    assert len(batches.batches) == 1


def test_a_live_run_is_gone_on_with(run: Run, batches: Batches, tmp_path: Path) -> None:
    """In JSON a live run writes FILE itself."""

    def live(wire: Wire, request: Request) -> None:
        if request.json["messages"][0]["content"] == "two":
            wire.json({"error": {"message": "no"}}, "500 Sorry")
        else:
            wire.json(answered({"custom_id": "", "body": request.json})["response"]["body"])

    batches.faults["POST /chat/completions"] = live
    options = ("--json", "-O", "out", "--retries", "0")
    assert run("map", *options, "{}", input=b"one\ntwo\nthree\n").returncode == 3
    done = run("map", "--batch", "--resume", *options, "{}", input=b"one\ntwo\nthree\n")
    assert done.returncode == 0, done.stderr.decode()
    assert [row["text"] for row in rows_in(tmp_path / "out")] == ["ONE", "TWO", "THREE"]
    assert len(batches.requests_in("file-1")) == 1
    wait_until(lambda: not (tmp_path / "out.progress").exists())


def test_detached(run: Run, batches: Batches, tmp_path: Path) -> None:
    batches.advance = lambda *_: None
    options = ("--detach", "-O", "out", "{}")
    done = run("map", "--batch", *options, input=RECORDS)
    assert done.returncode == 0 and b"batch_1: 4 requests sent" in done.stderr
    for _ in range(2):
        done = run("map", "--resume", *options, input=RECORDS)
        assert done.returncode == 75 and b"validating, 0 of 4 done" in done.stderr
    assert not (tmp_path / "out").exists()
    batches.advance = completes(1)
    assert run("map", "--resume", *options, input=RECORDS).returncode == 0
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()
    assert len(batches.batches) == 1


def test_records_that_are_new_get_a_batch_of_their_own(
    run: Run, batches: Batches, tmp_path: Path
) -> None:
    batches.advance = lambda *_: None
    assert run("map", "--detach", "-O", "out", "{}", input=b"one\ntwo\n").returncode == 0
    batches.advance = completes(1)
    done = run("map", "--batch", "--resume", "-O", "out", "{}", input=b"zero\ntwo\none\n")
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == b"ZERO\nTWO\nONE\n"
    assert [b["request_counts"]["total"] for b in batches.batches.values()] == [2, 1]


def test_answers_whose_records_are_gone_are_kept(
    run: Run, batches: Batches, tmp_path: Path
) -> None:
    assert run("map", "--detach", "-O", "out", "{}", input=b"one\ntwo\n").returncode == 0
    done = run("map", "--resume", "-O", "out", "{}", input=b"two\n")
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == b"TWO\n"
    assert b"1 answer belongs to no record" in done.stderr
    done = run("map", "--resume", "-O", "out", "{}", input=b"one\ntwo\n")
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == b"ONE\nTWO\n"
    assert len(batches.batches) == 1

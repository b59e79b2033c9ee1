"""The bad ends of a batch: nothing is lost, nothing counts twice, each has its line and code."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import Batches, Line, answered, completes, jsonl, reply, unanswered
from tests.support.endpoint import Request, Wire
from tests.support.mapping import rows_in
from tests.support.money import PRICED, Config, records
from tests.support.program import Run

RECORDS = b"one\ntwo\nthree\n"
Advance = Callable[[Batches, dict[str, Any]], None]


def ends(
    output: Callable[[list[Line]], Any],
    errors: Callable[[list[Line]], list[Line]] = lambda _: [],
    status: str = "completed",
) -> Advance:
    def advance(server: Batches, batch: dict[str, Any]) -> None:
        requests = server.requests_of(batch)
        server.end(batch, output(requests), errors(requests), status)

    return advance


def fails(*errors: tuple[int | None, str]) -> Advance:
    def advance(_: Batches, batch: dict[str, Any]) -> None:
        told = {"code": "c", "param": None}
        data = [{**told, "line": line, "message": said} for line, said in errors]
        batch.update(status="failed", errors={"object": "list", "data": data})

    return advance


def some(requests: list[Line]) -> list[Line]:
    return [answered(requests[0])]


def all_of(requests: list[Line]) -> list[Line]:
    return [answered(request) for request in requests]


# How the batch goes on; the exit codes of the records; what stderr says; the records that are asked
# again.
ROWS: dict[str, tuple[Advance, list[int], str, int]] = {
    "expired": (
        ends(some, lambda r: [unanswered(one, "batch_expired") for one in r[1:]], "expired"),
        [0, 75, 75], "2 failed (2 try-later)", 2,
    ),
    "expired_without_a_word": (ends(some, status="expired"), [0, 75, 75], "expired", 2),
    "cancelled_elsewhere": (ends(some, status="cancelled"), [0, 1, 1], "was cancelled", 2),
    "nothing_at_all": (ends(lambda _: None, status="expired"), [75, 75, 75], "expired", 3),
    "refused_by_line": (
        fails((2, "Invalid body")), [75, 65, 75], "the batch failed, for another record", 2,
    ),
    "refused_as_a_whole": (
        fails((None, "Enqueued token limit reached")), [75, 75, 75], "Enqueued token limit", 3,
    ),
    "failed_without_a_word": (fails(), [75, 75, 75], "no reason given", 3),
    "all_in_the_error_file": (
        ends(
            lambda _: None,
            lambda r: [reply(one, 429, {"error": {"message": "slow down"}}) for one in r],
        ),
        [75, 75, 75], "slow down", 3,
    ),
    "a_server_error": (
        ends(some, lambda r: [reply(one, 500, {"error": {"message": "oops"}}) for one in r[1:]]),
        [0, 69, 69], "oops", 2,
    ),
    "twice": (ends(lambda r: all_of(r) + some(r)), [0, 0, 0], "1 replies twice", 0),
    "unknown": (
        ends(lambda r: [*all_of(r), {**answered(r[0]), "custom_id": "x-1"}]),
        [0, 0, 0], "1 replies to requests that it was not sent", 0,
    ),
    "no_newline_at_the_end": (ends(lambda r: jsonl(all_of(r))[:-1]), [0, 0, 0], "3 done", 0),
    "an_empty_line": (ends(lambda r: b"\n" + jsonl(all_of(r))), [0, 0, 0], "3 done", 0),
    "no_body": (ends(lambda r: [reply(one, 200, None) for one in r]), [76] * 3, "protocol", 3),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_end(
    run: Run, batches: Batches, config: Config, home: Path, tmp_path: Path, name: str
) -> None:
    config(PRICED)
    batches.advance, codes, words, again = ROWS[name]
    options = ("--batch", "--json", "-O", "out")
    done = run("map", *options, "{}", input=RECORDS)
    stderr = done.stderr.decode()
    assert done.returncode == (3 if any(codes) else 0), stderr
    assert words in stderr
    assert [row["llmcli"]["exit_code"] for row in rows_in(tmp_path / "out")] == codes
    batches.advance = completes(1)
    done = run("map", *options, "--resume", "{}", input=RECORDS)
    assert len(batches.batches) == (2 if again else 1)
    if again:
        assert len(batches.requests_of(batches.batches["batch_2"])) == again
    good = [row["text"] for row in rows_in(tmp_path / "out") if row["ok"]]
    assert len(good) == 3 - (65 in codes)
    settled = Counter(record["id"] for record in records(home))
    assert set(settled.values()) == {1}
    assert sum(bool(record["cost_usd"]) for record in records(home)) == len(good)


def test_what_expired_can_be_asked_live(run: Run, batches: Batches, tmp_path: Path) -> None:
    def live(wire: Wire, request: Request) -> None:
        wire.json(answered({"custom_id": "", "body": request.json}, "LIVE")["response"]["body"])

    batches.advance = ends(some, status="expired")
    assert run("map", "--batch", "-O", "out", "{}", input=RECORDS).returncode == 3
    batches.faults["POST /chat/completions"] = live
    assert run("map", "-O", "out", "--resume", "{}", input=RECORDS).returncode == 0
    assert (tmp_path / "out").read_text() == "ONE\nLIVE\nLIVE\n"


def page(wire: Wire, _request: Request) -> None:
    wire.whole(b"<html>sign in</html>\n", "200 OK", "text/html")


def torn(wire: Wire, _request: Request) -> None:
    """The connection is lost within the file."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    wire.socket.sendall(head + b'{"id": "b", "custom_id"')


def cut(wire: Wire, _request: Request) -> None:
    wire.whole(b'{"id": "b", "custom_id": "0', "200 OK", "application/jsonl")


def empty(wire: Wire, _request: Request) -> None:
    wire.whole(b"", "200 OK", "application/jsonl")


def gone(wire: Wire, _request: Request) -> None:
    wire.json({"error": {"message": "No such File object"}}, "404 Not Found")


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (page, 76, "not a reply: <html>"),
        (torn, 85, "connection lost"),
        (cut, 85, "ends inside a line"),
        (empty, 85, "3 replies are missing"),
        (gone, 69, "is gone"),
    ],
)
def test_a_bad_download_loses_nothing(
    run: Run, batches: Batches, config: Config, home: Path, tmp_path: Path,
    fault: Any, code: int, words: str,
) -> None:  # fmt: skip
    config(PRICED)
    batches.faults["GET /files/.*/content"] = fault
    options = ("--batch", "-O", "out", "--retries", "1")
    done = run("map", *options, "{}", input=RECORDS)
    assert done.returncode == code, done.stderr.decode()
    assert words in done.stderr.decode() and b"--resume fetches it again" in done.stderr
    assert not records(home)
    batches.faults.clear()
    done = run("map", *options, "--resume", "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()
    assert len(batches.batches) == 1 and len(records(home)) == 3


@pytest.mark.parametrize("step", ["POST /files", "POST /batches"])
@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        ("400 Bad", {"error": {"message": "Invalid file"}}, 65),
        ("413 Large", {"error": {"message": "too large"}}, 80),
        ("401 No", {"error": {"message": "no key"}}, 77),
        ("429 No", {"error": {"message": "no money", "code": "insufficient_quota"}}, 83),
    ],
)
def test_a_refused_batch(
    run: Run, batches: Batches, config: Config, home: Path, tmp_path: Path,
    step: str, status: str, body: Any, code: int,
) -> None:  # fmt: skip
    config(PRICED)
    batches.faults[step] = lambda wire, _: wire.json(body, status)
    options = ("--batch", "-O", "out", "--retries", "0")
    done = run("map", *options, "{}", input=RECORDS)
    assert done.returncode == code, done.stderr.decode()
    assert body["error"]["message"] in done.stderr.decode()
    batches.faults.clear()
    done = run("map", *options, "--resume", "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()
    assert len(batches.batches) == 1
    assert sum(bool(record["cost_usd"]) for record in records(home)) == 3
    opened = {record["id"] for record in records(home, "intent")}
    assert opened == {record["id"] for record in records(home)}


@pytest.mark.parametrize("step", ["POST /files", "POST /batches"])
@pytest.mark.parametrize("dealt_with", [False, True])
def test_a_lost_reply_is_not_sent_twice(
    run: Run, batches: Batches, tmp_path: Path, step: str, dealt_with: bool
) -> None:
    lost: list[str] = []

    def drop(_request: Request) -> None:
        if batches.log[-1] == step and not lost:
            lost.append(step)
            raise ConnectionError

    setattr(batches, "left" if dealt_with else "arrived", drop)
    done = run("map", "--batch", "-O", "out", "{}", input=RECORDS)
    assert done.returncode == 0, done.stderr.decode()
    assert len(batches.batches) == 1
    assert (tmp_path / "out").read_bytes() == RECORDS.upper()

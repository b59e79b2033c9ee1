"""Conversations that are kept: what is sent again, what is kept of a failure, the commands."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import STATE, assistant, kept, said, user
from tests.support.endpoint import Script, Server, answer, broken, in_turn
from tests.support.program import KEY, PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]


def test_a_conversation_of_three_turns(run: Run, endpoint: Endpoint, home: Path) -> None:
    server = endpoint(in_turn(answer("A1"), answer("A2"), answer("A3")))
    assert run("ask", "--session", "trip", "-s", "Be brief", "Q1").stdout == b"A1\n"
    assert run("ask", "--session", "trip", "Q2").stdout == b"A2\n"
    assert run("ask", "-c", "Q3").stdout == b"A3\n"
    system = {"role": "system", "content": "Be brief"}
    assert said(server) == [
        *(system, user("Q1"), assistant("A1"), user("Q2"), assistant("A2"), user("Q3"))
    ]
    turns = kept(home, "trip")
    assert [turn["messages"] for turn in turns] == [
        [system, user("Q1"), assistant("A1")],
        [user("Q2"), assistant("A2")],
        [user("Q3"), assistant("A3")],
    ]
    assert {turn["incomplete"] for turn in turns} == {None}
    assert KEY not in json.dumps(turns)


def test_only_its_owner_can_read_it(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    old = os.umask(0)
    try:
        assert run("ask", "--session", "s", "hi").returncode == 0
    finally:
        os.umask(old)
    for path in (home / STATE).rglob("*"):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert stat.S_IMODE((home / STATE).stat().st_mode) == 0o700


def test_a_plain_ask_keeps_nothing(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    assert run("ask", "--no-ledger", "hi").returncode == 0
    assert list(home.rglob("*")) == []
    assert run("ask", "a secret wish").returncode == 0
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path.parent.name for path in files] == ["ledger"]
    assert "wish" not in files[0].read_text()
    done = run("ask", "-c", "hi")
    assert done.returncode == 66
    assert "there is no session to go on with; begin one with --session NAME" in one_line(
        done.stderr
    )


def test_a_name_with_a_slash_is_a_path(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(in_turn(answer("A1"), answer("A2"), answer("A3")))
    assert run("ask", "--session", "./talk.jsonl", "Q1").returncode == 0
    assert run("ask", "--session", f"{tmp_path}/talk.jsonl", "Q2").returncode == 0
    assert run("ask", "-c", "Q3", cwd="/").returncode == 0
    assert len(said(server)) == 5
    assert len((tmp_path / "talk.jsonl").read_text().splitlines()) == 3
    assert stat.S_IMODE((tmp_path / "talk.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-x", "a b", "a\nb", "x" * 200, "a."])
def test_names_that_are_none(run: Run, endpoint: Endpoint, name: str) -> None:
    server = endpoint(answer("x"))
    done = run("ask", f"--session={name}", "hi")
    assert done.returncode == 2
    assert "cannot name a session" in one_line(done.stderr)
    assert server.requests == []


def test_a_new_system_message_holds_from_then_on(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("x"))
    for arguments in (("-s", "one", "Q1"), ("-s", "two", "Q2"), ("Q3",)):
        assert run("ask", "--session", "s", *arguments).returncode == 0
    assert [m["content"] for m in said(server)] == ["two", "Q1", "x", "Q2", "x", "Q3"]


def test_a_conversation_keeps_its_model(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("x"))
    run("ask", "--session", "s", "-m", "big", "Q1")
    run("ask", "-c", "Q2")
    run("ask", "-c", "-m", "small", "Q3")
    run("ask", "-c", "Q4")
    assert [r.json["model"] for r in server.requests] == ["big", "big", "small", "small"]


def test_its_model_is_not_asked_of_another_endpoint(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    run("ask", "--session", "s", "-m", "big", "Q1")
    other = endpoint(answer("x"))
    assert run("ask", "-c", "Q2").returncode == 0
    assert other.only.json["model"] == "m"


def test_an_embedded_turn_does_not_keep_it_from_the_configured_endpoint(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    server = endpoint(answer("x"))
    run("ask", "--session", "s", "Q1")
    path = home / STATE / "sessions/s.jsonl"
    turn = {"messages": [user("Q2"), assistant("A2")], "model": "local/tiny", "endpoint": None}
    with path.open("a") as file:
        file.write(json.dumps(turn) + "\n")
    done = run("ask", "-q", "-c", "Q3")
    assert (done.returncode, done.stderr) == (0, b"")
    assert server.requests[-1].json["model"] == "m"
    with path.open("a") as file:
        file.write(json.dumps(turn) + "\n")
    told = run("ask", "-c", "Q4").stderr.decode()
    assert "llmcli: session s goes on with m; its last turn was with local/tiny\n" in told


def test_what_failed_is_kept_as_incomplete_and_not_sent_again(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    server = endpoint(in_turn(answer("A1"), broken, answer("A3")))
    run("ask", "--session", "s", "Q1")
    done = run("ask", "-c", "Q2")
    assert done.returncode == 69
    assert "; kept in session s as incomplete" in one_line(done.stderr)
    turn = kept(home, "s")[1]
    assert turn["messages"] == [user("Q2"), assistant("half an ans")]
    assert turn["incomplete"] == "server"
    assert run("ask", "-c", "Q3").returncode == 0
    assert said(server) == [user("Q1"), assistant("A1"), user("Q3")]
    shown = run("session", "show", "s").stdout.decode()
    assert "half an ans\n\n[incomplete: server; not sent again]" in shown


def test_of_a_failure_without_an_answer_nothing_is_kept(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    endpoint(lambda wire, _: wire.json({"error": {"message": "no"}}, "401 X"))
    assert run("ask", "--session", "s", "hi").returncode == 77
    assert list(home.rglob("sessions/*")) == []


def test_a_write_error_of_stdout_loses_no_answer(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("dear"))
    with open("/dev/full", "wb") as full:
        assert run("ask", "--session", "s", "--json", "hi", stdout=full).returncode == 74
    assert kept(home, "s")[0]["incomplete"] is None
    assert kept(home, "s")[0]["messages"][1] == assistant("dear")


def test_a_session_that_cannot_be_written_costs_nothing(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    env["XDG_STATE_HOME"] = "/proc/nothing"
    done = run("ask", "--session", "s", "hi")
    assert done.returncode == 73
    assert "session s: cannot create /proc/nothing/" in one_line(done.stderr)
    assert server.requests == []
    assert run("ask", "hi").returncode == 0  # who keeps nothing needs no such place


def test_a_disk_that_fills_up_loses_no_answer(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    endpoint(in_turn(answer("A1"), answer("y" * 5000), answer("A3")))
    assert run("ask", "--session", "s", "Q1").returncode == 0
    limited = ["bash", "-c", 'ulimit -f 4; exec "$0" "$@"', PROGRAM]

    done = subprocess.run(
        [*limited, "ask", "-n", "-c", "Q2"], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 74
    assert done.stdout == b"y" * 5000
    assert "cannot write session s: File too large" in one_line(done.stderr)
    assert run("ask", "-c", "Q3").returncode == 0
    assert [turn["messages"][0]["content"] for turn in kept(home, "s")] == ["Q1", "Q3"]


@pytest.mark.parametrize("flaw", ["mode", "link", "owner"])
def test_a_state_directory_that_others_could_change_is_refused(
    run: Run, endpoint: Endpoint, home: Path, env: dict[str, str], tmp_path: Path, flaw: str
) -> None:
    server = endpoint(answer("x"))
    state = tmp_path / "state" / "llmcli"
    state.mkdir(parents=True, mode=0o700)
    env["XDG_STATE_HOME"] = str(state.parent)
    if flaw == "mode":
        state.chmod(0o755)
        says = f"{state} is open to others; chmod 700 {state}"
    elif flaw == "link":
        target = tmp_path / "elsewhere"
        target.mkdir(mode=0o700)
        state.rmdir()
        state.symlink_to(target)
        state.parent.chmod(0o1777)
        says = "is a link in a directory that all can write"
    else:
        if os.geteuid():
            pytest.skip("only root can give a directory away")
        os.chown(state, 12345, 12345)
        says = f"{state} belongs to someone else"
    for arguments in (("--session", "s"), ("-c",)):
        done = run("ask", *arguments, "hi")
        assert done.returncode == 78
        assert says in one_line(done.stderr)
    assert server.requests == []


def test_a_line_that_is_no_turn_is_named(run: Run, endpoint: Endpoint, home: Path) -> None:
    server = endpoint(answer("x"))
    run("ask", "--session", "s", "hi")
    path = home / STATE / "sessions/s.jsonl"
    for bad in ("nonsense", "[]", '{"messages": 1}', '{"messages": [{"role": "x"}]}'):
        path.write_text(f"{bad}\n{path.read_text().splitlines()[-1]}\n")
        done = run("ask", "-c", "again")
        assert done.returncode == 66, bad
        assert f"{path}:1: not a turn of a session" in one_line(done.stderr)
    assert len(server.requests) == 1


def test_messages_can_begin_a_session(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "old.json").write_text(json.dumps([user("Q1"), assistant("A1")]))
    run("ask", "--messages", "old.json", "--session", "s", "Q2")
    run("ask", "-c", "Q3")
    assert [m["content"] for m in said(server)] == ["Q1", "A1", "Q2", "x", "Q3"]
    done = run("ask", "--messages", "old.json", "-c", "Q4")
    assert done.returncode == 2
    assert "this session has messages already" in one_line(done.stderr)


def test_no_prompt_sends_nothing(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("x"))
    run("ask", "--session", "s", "hi")
    assert run("ask", "-c").returncode == 2
    assert run("ask", "-c", "-n").returncode == 2
    assert run("ask", "-c", "--session", "s", "hi").returncode == 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["my only copy", '[{"role": "user", "content": "x"}]', "{ notes"])
def test_a_file_that_is_no_session_is_left_alone(
    run: Run, endpoint: Endpoint, tmp_path: Path, text: str
) -> None:
    server = endpoint(answer("x"))
    path = tmp_path / "notes.txt"
    path.write_text(text)
    assert run("ask", "--session", "./notes.txt", "hi").returncode == 66
    assert run("session", "remove", "./notes.txt").returncode == 66
    assert path.read_text() == text
    assert server.requests == []

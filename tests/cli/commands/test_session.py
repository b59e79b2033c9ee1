"""Which session is gone on with, and the commands that show what is kept."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.conversations import kept, said, user
from tests.support.endpoint import Script, Server, answer, broken, calling, in_turn
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all, read_until

Endpoint = Callable[[Script], Server]


def test_each_terminal_has_a_last_session_of_its_own(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    script = (
        f'{PROGRAM} ask -n --session {{0}} "{{0}} begins"; echo begun; read line; '
        f"{PROGRAM} ask -nc more"
    )
    with (
        on_a_terminal(["bash", "-c", script.format("one")], env) as (first, terminal),
        on_a_terminal(["bash", "-c", script.format("two")], env) as (second, other),
    ):
        for shown in (terminal, other):
            read_until(shown, b"begun")
        run("ask", "--session", "three", "three begins")
        os.write(terminal, b"go\n")
        read_all(terminal)
        os.write(other, b"go\n")
        read_all(other)
        assert (first.wait(120), second.wait(120)) == (0, 0)
    begun = [said(server, n)[0]["content"] for n in (-2, -1)]
    assert begun == ["one begins", "two begins"]
    run("ask", "-c", "and here?")
    assert said(server)[0]["content"] == "three begins"


def test_a_terminal_outlives_the_shell_that_led_it(
    endpoint: Endpoint, env: dict[str, str], home: Path
) -> None:
    server = endpoint(answer("x"))
    orphans = f"""
        while kill -0 $$ 2>/dev/null; do sleep 0.01; done
        {PROGRAM} ask -n --session mine "mine begins"
        setsid -w {PROGRAM} ask -n --session other "other begins"
        {PROGRAM} ask -nc more"""
    (state := home / ".local/state/llmcli").mkdir(mode=0o700, parents=True)
    (state / "last-session").mkdir()
    (gone := state / "last-session/99999999").write_text("long ago")
    os.utime(gone, (1, 1))
    leader = ["bash", "-c", f"({orphans}\n) & exit"]
    with subprocess.Popen(leader, env=env, stdout=subprocess.PIPE, start_new_session=True) as shell:
        assert shell.wait(120) == 0
        assert shell.stdout is not None
        shell.stdout.read()
    assert [said(server, n)[0]["content"] for n in (-2, -1)] == ["other begins", "mine begins"]
    assert not gone.exists()


def test_a_new_terminal_goes_on_with_the_last_of_all(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    run("ask", "--session", "s", "begun elsewhere")
    with on_a_terminal([PROGRAM, "ask", "-n", "-c", "more"], env) as (process, terminal):
        assert b"going on with session s, the last used in any terminal" in read_all(terminal)
        assert process.wait(120) == 0
    assert said(server)[0]["content"] == "begun elsewhere"


def test_commands(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(in_turn(answer("A1"), answer("A2"), calling(("c1", "f", {"x": 1}))))
    run("ask", "--session", "old", "first words")
    run("ask", "--session", "new", "Q2")
    run("ask", "-c", "Q3")
    rows = [line.split("\t") for line in run("session", "list").stdout.decode().splitlines()]
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        ("new", "2", "m", "Q2"),
        ("old", "1", "m", "first words"),
    ]
    listed = json.loads(run("session", "list", "--json").stdout)
    assert [row["name"] for row in listed] == ["new", "old"]
    shown = run("session", "show").stdout.decode()  # the last
    assert shown == (
        '## user\nQ2\n\n## assistant\nA2\n\n## user\nQ3\n\n## assistant\n[calls c1: f {"x": 1}]\n'
    )
    whole = json.loads(run("session", "show", "old", "--json").stdout)
    assert whole["turns"] == kept(home, "old")
    assert run("session", "remove", "old", "new").returncode == 0
    run("ask", "--session", "kept", "Q")
    assert run("session", "remove", "old", "kept").returncode == 66
    assert not (home / ".local/state/llmcli/sessions/kept.jsonl").exists()
    for command in (("show", "old"), ("remove", "old"), ("export", "old")):
        done = run("session", *command)
        assert done.returncode == 66
        assert "there is no session old" in one_line(done.stderr)
    assert run("session", "show").returncode == 66


def test_escapes_in_a_session_are_harmless_on_a_terminal(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("\x1b]0;title\x07"))
    run("ask", "--session", "s", "hi")
    assert b"\x1b]0;title\x07" in run("session", "show", "s").stdout
    with on_a_terminal([PROGRAM, "session", "show", "s"], env) as (process, terminal):
        shown = read_all(terminal)
        assert process.wait(120) == 0
    assert b"\x1b" not in shown and b"\\x1b]0;title" in shown


def test_export_is_what_messages_takes(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(in_turn(answer("A1"), answer("A2"), broken, answer("A4")))
    run("ask", "--session", "s", "-s", "Be brief", "Q1")
    run("ask", "-c", "--save-messages", "saved.json", "Q2")
    run("ask", "-c", "Q3")
    exported = run("session", "export", "s")
    assert one_line(exported.stderr) == "llmcli: left out 1 incomplete turn"
    assert json.loads(exported.stdout) == json.loads((tmp_path / "saved.json").read_text())
    run("ask", "--messages", "-", "Q4", input=exported.stdout)
    assert said(server) == [*json.loads(exported.stdout), user("Q4")]


def test_a_failure_leaves_the_saved_messages_of_yesterday(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(in_turn(answer("A1"), broken))
    run("ask", "--save-messages", "c.json", "Q1")
    old = (tmp_path / "c.json").read_text()
    assert run("ask", "--messages", "c.json", "--save-messages", "c.json", "Q2").returncode == 69
    assert (tmp_path / "c.json").read_text() == old
    assert {p.name for p in tmp_path.iterdir()} == {"home", "c.json"}
    assert run("ask", "--save-messages", "-", "Q").returncode == 2

"""The longer scripts of the manual, as files that a user has saved, against failing servers."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer, in_turn
from tests.support.manual import PAGES, blocks, git, on_path, reply
from tests.support.program import shell

Endpoint = Callable[[Script], Server]


def save(name: str, path: Path) -> Path:
    """Save the script `name` of the manual as a program."""
    (script,) = blocks(f"script: {name}").values()
    path.write_text(script)
    path.chmod(0o755)
    return path


def stub(folder: Path, name: str, script: str) -> None:
    """Make a program that stands before the one of the system."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def refusal(status: str, *headers: str) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.json({"error": {"message": "not now"}}, status, *headers)

    return script


def commit(place: Path, env: dict[str, str], *options: str) -> str:
    """Commit the change, and return the message of the last commit."""
    save("prepare-commit-msg", place / ".git/hooks/prepare-commit-msg")
    git(place, "add", "notes.txt")
    words = " ".join(options)
    script = (
        f"git -c user.name=A -c user.email=a@example.com commit -q {words}; git log -1 --format=%s"
    )
    return shell(on_path(env, place.parent / "bin"), script, place).stdout.decode().strip()


def test_hook_drafts_the_message(endpoint: Endpoint, env: dict[str, str], place: Path) -> None:
    server = endpoint(answer("Add more notes"))
    assert commit(place, {**env, "GIT_EDITOR": "true"}) == "Add more notes"
    assert "some more notes" in str(server.only.json)


def test_hook_leaves_a_message_alone(server: Server, env: dict[str, str], place: Path) -> None:
    assert commit(place, env, "-m mine") == "mine"
    assert server.requests == []


def test_hook_that_fails_stops_no_commit(
    endpoint: Endpoint, env: dict[str, str], place: Path
) -> None:
    endpoint(refusal("401 Unauthorized"))
    assert commit(place, {**env, "GIT_EDITOR": "sed -i 1imine"}) == "mine"


@pytest.fixture
def report(env: dict[str, str], tmp_path: Path) -> Callable[[], tuple[int, list[str], str | None]]:
    """Run the report; return its exit code, how long it slept each time, and what it wrote."""
    folder = tmp_path / "bin"
    stub(folder, "journalctl", "echo disk full")
    stub(folder, "sleep", f'echo "$1" >> "{tmp_path}/slept"')
    env["LLMCLI_RETRIES"] = "0"

    def run() -> tuple[int, list[str], str | None]:
        script = save("report", tmp_path / "report")
        done = shell(on_path(env, folder), str(script), tmp_path)
        slept, written = tmp_path / "slept", Path(env["HOME"], "report.md")
        return (
            done.returncode,
            slept.read_text().split() if slept.exists() else [],
            written.read_text() if written.exists() else None,
        )

    return run


def test_report(endpoint: Endpoint, report: Callable[[], object]) -> None:
    server = endpoint(answer("All is well"))
    assert report() == (0, [], "All is well\n")
    assert "disk full" in str(server.only.json)


def test_report_waits_as_long_as_it_is_told(
    endpoint: Endpoint, report: Callable[[], object]
) -> None:
    later = refusal("429 Too Many Requests", "Retry-After: 900")
    endpoint(in_turn(later, refusal("503 Service Unavailable"), answer("All is well")))
    assert report() == (0, ["900", "600"], "All is well\n")


def test_report_stops_where_waiting_does_not_help(
    endpoint: Endpoint, report: Callable[[], object]
) -> None:
    server = endpoint(refusal("401 Unauthorized"))
    assert report() == (77, [], None)
    assert len(server.requests) == 1


def test_report_gives_up(endpoint: Endpoint, report: Callable[[], object]) -> None:
    endpoint(refusal("503 Service Unavailable"))
    assert report() == (69, ["600"] * 4, None)


def enrich(env: dict[str, str], place: Path) -> tuple[int, list[dict[str, str]]]:
    script = save("enrich", place / "enrich")
    done = shell(on_path(env, place.parent / "bin"), f"{script} < reviews.csv", place)
    table = place / "enriched.csv"
    rows = list(csv.DictReader(io.StringIO(table.read_text()))) if table.exists() else []
    return done.returncode, rows


def mood(wire: Wire, request: Request) -> None:
    """Answer by the review; the prompt of "awful" is refused."""
    if "awful" in str(request.json):
        return refusal("400 Bad Request")(wire, request)
    answer(json.dumps({"mood": "good", "topic": "a, b"}))(wire, request)


def test_new_columns(endpoint: Endpoint, env: dict[str, str], place: Path) -> None:
    endpoint(mood)
    code, (good, bad) = enrich(env, place)
    assert code == 3
    assert good == {"id": "1", "text": "lovely", "mood": "good", "topic": "a, b", "error": ""}
    assert (bad["text"], bad["mood"]) == ("awful", "") and "not now" in bad["error"]


def test_no_table_where_nothing_is_answered(
    endpoint: Endpoint, env: dict[str, str], place: Path
) -> None:
    endpoint(refusal("401 Unauthorized"))
    assert enrich(env, place) == (77, [])


def test_a_tool_that_the_caller_runs(endpoint: Endpoint, env: dict[str, str], place: Path) -> None:
    """The lines of the page on tools, with a weather station that is not asked."""
    server = endpoint(reply)
    script = save("by-hand", place / "by-hand")
    stub(place.parent / "bin", "curl", "echo 7 degrees")
    done = shell(on_path(env, place.parent / "bin"), f"bash -e {script}", place)
    assert (done.returncode, done.stdout) == (0, b"an answer\n"), done.stderr
    result = server.requests[1].json["messages"][-1]
    assert (result["role"], result["content"].strip()) == ("tool", "7 degrees")


def test_a_template(endpoint: Endpoint, env: dict[str, str], place: Path) -> None:
    """The lines of the page on templates, with an editor that writes the template shown there."""
    server = endpoint(reply)
    page = (PAGES / "templates.md").read_text()
    template = page.split("```toml\n")[1].split("```")[0]
    (place / "template").write_text(template)
    env["EDITOR"] = f"cp {place}/template"
    script = "\n".join(block.split("```")[0] for block in page.split("```sh\n")[1:])
    done = shell(on_path(env, place.parent / "bin"), f"set -e\n{script}", place)
    assert done.returncode == 0, done.stderr
    first = server.requests[0].json
    assert first["messages"][0]["content"] == "You review Python."
    assert "some more notes" in first["messages"][1]["content"]
    assert b"review" in done.stdout and (place / "reviews.txt").read_text() == "an answer\n"


def test_make(endpoint: Endpoint, env: dict[str, str], place: Path) -> None:
    """The rule of the page: a failure leaves no target behind."""
    page = Path(__file__).parent.parent / "llmcli/help/recipes.md"
    (place / "Makefile").write_text(page.read_text().split("```make\n")[1].split("```")[0])
    env["LLMCLI_RETRIES"] = "0"
    endpoint(in_turn(refusal("503 Service Unavailable"), answer("un")))
    variables = on_path(env, place.parent / "bin")
    script = "make lines.fr.txt; ls lines.fr.txt; make lines.fr.txt && cat lines.fr.txt"
    assert shell(variables, script, place).stdout.endswith(b"un\n")

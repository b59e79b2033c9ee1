"""The commands that write, and for each what must be true of its files after it was disturbed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.place import OLD, STATE, Done, Place, ending, reply_to, turns_of

RECORDS = [f"record {number}" for number in range(8)]
INPUT = "".join(f"{record}\n" for record in RECORDS).encode()
BUDGET = {
    "LLMCLI_BUDGET": '{"month": 1}',
    "LLMCLI_PRICES": '{"m": {"prompt": 1, "completion": 2}}',
}


def _nothing(_folder: Path, _code: int | None) -> str | None:
    return None


@dataclass(frozen=True)
class Command:
    """A command that writes.

    `check` returns what is wrong with its files after a run that ended with the code given, None
    for one that was killed. `after` is the line of the run that must then succeed.
    """

    line: tuple[str, ...]
    check: Callable[[Path, int | None], str | None] = _nothing
    after: tuple[str, ...] = ("ask", "-n", "-q", "--session", "s", "-O", "out", "afterwards")
    input: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    checked_after: Callable[[Path, int | None], str | None] = _nothing

    def run(self, place: Place, before: tuple[str, ...] = ()) -> Done:
        """Run it in `place`, behind the words `before`."""
        return place.run(*self.line, before=before, given=self.input, **self.env)

    def problem(self, place: Place, code: int | None) -> str | None:
        """Return what is wrong after it was disturbed, in its files or in the run after it."""
        try:
            if problem := self.check(place.folder, code):
                return problem
            done = place.run(*self.after, given=self.input, **self.env)
            if problem := ending(done, {0}):
                return f"the run after it: {problem}"
            return self.checked_after(place.folder, 0)
        except (OSError, ValueError, LookupError) as error:  # a file is missing or damaged
            return repr(error)


def _output(folder: Path, code: int | None) -> str | None:
    """The file of -O is the old or the new one; a run that has replaced it ends well."""
    content = (folder / "out").read_bytes()
    new = f"{reply_to('hi')}\n".encode()
    if content not in (OLD, new):
        return f"out has {content!r}"
    if code is not None and (code == 0) != (content == new):
        return f"exit code {code}, and out has {content!r}"
    return None


def _kept_output(folder: Path, _code: int | None) -> str | None:
    content = (folder / "out").read_bytes()
    return None if content == OLD else f"out has {content!r}"


def _session(folder: Path, code: int | None) -> str | None:
    return turns_of(folder, 2 if code == 0 else 1, 2)


def _saved(folder: Path, code: int | None) -> str | None:
    saved = folder / "saved"
    if not saved.exists():
        return "the messages were not saved" if code == 0 else None
    return None if len(json.loads(saved.read_bytes())) == 2 else "the messages are damaged"


def _text_results(folder: Path, _code: int | None) -> str | None:
    content = (folder / "new").read_text().splitlines()
    return None if content == [reply_to(r) for r in RECORDS] else f"new has {content!r}"


def _json_results(folder: Path, _code: int | None) -> str | None:
    found = [json.loads(line) for line in (folder / "new").read_text().splitlines()]
    texts = [(line["input"], line["text"]) for line in found]
    return None if texts == [(r, reply_to(r)) for r in RECORDS] else f"new has {texts!r}"


def _template(folder: Path, _code: int | None) -> str | None:
    path = folder / "home/.config/llmcli/templates/t.toml"
    return None if path.read_text().startswith("prompt") else "the template is damaged"


def _removed(folder: Path, code: int | None) -> str | None:
    there = (folder / STATE / "sessions/s.jsonl").exists()
    return None if code is None or there == (code != 0) else f"exit code {code}, there: {there}"


_MAP = ("map", "-q", "-j", "2", "-O", "new")
_SHOWN = ("session", "show", "s")
# Another command that writes is another row; a cluster's, too.
COMMANDS = {
    "-O": Command(("ask", "-n", "-q", "-O", "out", "hi"), _output),
    "-O, a broken answer": Command(("ask", "-n", "-q", "-O", "out", "break"), _kept_output),
    "--session": Command(("ask", "-n", "-q", "--session", "s", "hi"), _session),
    "-c": Command(("ask", "-n", "-q", "-c", "hi"), _session),
    "--save-messages, --usage-file": Command(
        ("ask", "-n", "-q", "--save-messages", "saved", "--usage-file", "usage", "hi"), _saved
    ),
    "a budget": Command(
        ("ask", "-n", "-q", "--max-tokens", "9", "hi"),
        after=("ask", "-n", "-q", "--max-tokens", "9", "afterwards"),
        env=BUDGET,
    ),
    "map": Command(
        (*_MAP, "{}"),
        after=(*_MAP, "--resume", "{}"),
        input=INPUT,
        checked_after=_text_results,
    ),
    "map --json": Command(
        (*_MAP, "--json", "{}"),
        after=(*_MAP, "--json", "--resume", "{}"),
        input=INPUT,
        checked_after=_json_results,
    ),
    "template edit": Command(
        ("template", "edit", "t"),
        _template,
        after=("template", "show", "t"),
        env={"EDITOR": "touch"},
    ),
    "session remove": Command(("session", "remove", "s"), _removed, after=("session", "list")),
    "models": Command(("models", "--refresh"), after=("models",)),
    "usage": Command(("usage",), after=("usage",)),
    "config check": Command(("config", "check"), after=_SHOWN),
}

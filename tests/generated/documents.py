"""The parts of the README and of the manual's pages that come from the code.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`. In the manual tables are fenced
text in columns, which reads the same as Markdown, on a terminal and as a man page.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from llmcli.config.providers import PROVIDERS
from llmcli.config.settings import DOCS, Settings
from llmcli.errors import ExitCode
from tests.generated.example_reply import json_reply
from tests.generated.tree import Option, tree

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = ROOT / "llmcli/help"
# A block is shown indented by four, on a terminal of 80 columns.
_WIDTH = 76


def files() -> dict[Path, str]:
    documents = [README, *sorted(PAGES.glob("*.md"))]
    filled = {path: _fill(path.read_text()) for path in documents}
    everything = "".join(filled.values())
    for name in _PARTS:
        assert f"<!-- generated: {name} -->" in everything, name
    return filled


def _fill(text: str) -> str:
    def part(found: re.Match[str]) -> str:
        return f"{found[1]}{_PARTS[found[2]]()}\n<!-- end -->"

    pattern = r"(<!-- generated: ([a-z-]+) -->\n).*?<!-- end -->"
    return re.sub(pattern, part, text, flags=re.S)


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """Return fenced text in columns, of which the last is wrapped."""
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in list(zip(*table, strict=True))[:-1]]
    lines = []
    for *cells, last in table:
        begin = "".join(f"{cell:{width}}  " for cell, width in zip(cells, widths, strict=True))
        for number, piece in enumerate(textwrap.wrap(last, _WIDTH - len(begin)) or [""]):
            lines.append(f"{' ' * len(begin) if number else begin}{piece}".rstrip())
    return "\n".join(["```text", *lines, "```"])


def _exit_codes_short() -> str:
    """Return the codes by what a script can do about them."""
    groups = {
        "done": [ExitCode.OK],
        "try again later": [c for c in ExitCode if c.retryable],
        "it would fail again: mend what stderr says": [c for c in ExitCode if c.again == "no"],
    }
    known = {code for codes in groups.values() for code in codes}
    for code in ExitCode:
        if code not in known:
            groups.setdefault(code.again or "look at what stderr says", []).append(code)
    rows = [
        f"| {', '.join(f'{int(c)} {c.kind}' for c in codes)} | {what} |"
        for what, codes in groups.items()
    ]
    return "\n".join(["| exit code | what to do |", "|---|---|", *rows])


def _exit_codes() -> str:
    head = ("code", "name", "again later?", "when")
    rows = [(str(int(code)), code.kind, _bare(code.again), _bare(code.when)) for code in ExitCode]
    return _columns([head, *rows])


def _bare(text: str) -> str:
    """Return `text` without the backquotes of Markdown, which mean nothing in a fence."""
    return text.replace("`", "")


def _settings() -> str:
    defaults = Settings()
    rows = []
    for name, doc in DOCS.items():
        default = getattr(defaults, name)
        shown = "" if default in (None, {}) else f" [{str(default).lower()}]"
        rows.append((name, doc + shown))
    return _columns(rows)


def _options(command: str) -> str:
    """Return all options of `ask`, or those of `map` that `ask` has not."""
    options = {c.path[0]: c.options for c in tree().commands if c.path[0] in ("ask", "map")}
    known = {o.names for o in options["ask"]} if command == "map" else set()
    return _columns((_spelling(o), o.help) for o in options[command] if o.names not in known)


def _spelling(option: Option) -> str:
    names = ", ".join(option.names)
    return f"{names} {option.metavar}" if option.metavar else names


def _providers() -> str:
    """Return the providers: name, variable of the key, default model, the price of a batch."""
    rows = [
        (
            one.name,
            " or ".join(one.variables) or "(no key)",
            one.model or "-",
            f"{float(one.batch):.0%}" if one.batch and one.batch_path else "-",
        )
        for one in PROVIDERS.values()
    ]
    return _columns([("name", "key in", "default model", "batch"), *rows])


def _addresses() -> str:
    """Return the address of each provider."""
    rows = [(one.name, one.base_url or f"in {one.address_variable}") for one in PROVIDERS.values()]
    return _columns([("name", "address"), *rows])


def _batches() -> str:
    """Return the providers with batches: part of the price, whether --batch knows them, source."""
    head = ("name", "price", "--batch", "source")
    rows = [
        (one.name, f"{float(one.batch):.0%}", "yes" if one.batch_path else "no", one.batch_docs)
        for one in PROVIDERS.values()
        if one.batch and one.batch_docs
    ]
    return _columns([head, *rows])


_PARTS: dict[str, Callable[[], str]] = {
    "ask-options": partial(_options, "ask"),
    "map-options": partial(_options, "map"),
    "exit-codes": _exit_codes,
    "exit-codes-short": _exit_codes_short,
    "providers": _providers,
    "batches": _batches,
    "provider-addresses": _addresses,
    "settings": _settings,
    "json-reply": json_reply,
}

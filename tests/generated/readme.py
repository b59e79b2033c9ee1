"""The parts of the README that come from the code."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import typer

from llmcli.cli.app import app, load_command
from llmcli.config.settings import DOCS, Settings
from llmcli.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def files() -> dict[Path, str]:
    text = README.read_text()
    for name, make in _PARTS.items():
        pattern = rf"(?<=<!-- generated: {name} -->\n).*?(?=<!-- end -->)"
        part = make().replace("\\", "\\\\")
        text, count = re.subn(pattern, f"{part}\n", text, flags=re.S)
        assert count == 1, name
    return {README: text}


def _help(name: str) -> str:
    group: Any = typer.main.get_command(app())
    parent = group.make_context("llmcli", [], resilient_parsing=True, terminal_width=100)
    command = load_command(name)
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=100, max_content_width=100
    )
    return f"```\n{command.get_help(context)}\n```"


def _exit_codes() -> str:
    rows = [f"| {code} | {code.kind} | {code.when} | {code.again} |" for code in ExitCode]
    return "\n".join(["| code | name | when | again later? |", "|---|---|---|---|", *rows])


def _settings() -> str:
    defaults = Settings()
    rows = []
    for name, doc in DOCS.items():
        default = getattr(defaults, name)
        shown = "" if default in (None, {}) else f"`{str(default).lower()}`"
        rows.append(f"| `{name}` | {doc} | {shown} |")
    return "\n".join(["| setting | what it is | default |", "|---|---|---|", *rows])


_PARTS: dict[str, Callable[[], str]] = {
    "ask-help": partial(_help, "ask"),
    "map-help": partial(_help, "map"),
    "exit-codes": _exit_codes,
    "settings": _settings,
}

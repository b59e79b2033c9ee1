"""The man pages: the pages of the manual as roff, and one for the program itself."""

import itertools
import re
from pathlib import Path

from llmcli.cli import manual
from llmcli.cli.command_table import COMMANDS
from llmcli.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "llmcli/help/man"


_SYNOPSIS = """```
llmcli "PROMPT"
COMMAND | llmcli "PROMPT"
llmcli COMMAND [OPTION]... [ARGUMENT]...
```"""


def files() -> dict[Path, str]:
    pages = {topic: manual.read_page(topic) for topic in manual.TOPICS}
    made = {f"llmcli-{topic}.1": _page(f"llmcli-{topic}", text) for topic, text in pages.items()}
    made["llmcli.1"] = _page("llmcli", _program(pages))
    return {FOLDER / name: text for name, text in made.items()}


def stray() -> list[Path]:
    """Return the man pages that no page of the manual stands behind."""
    return [path for path in sorted(FOLDER.glob("*.1")) if path not in files()]


def _program(pages: dict[str, str]) -> str:
    """Return the page `llmcli` as Markdown: its commands, exit codes and manual."""
    commands = [f"- `llmcli {name}`: {about}" for name, about in COMMANDS.items()]
    codes = [f"{int(code):>3}  {code.kind}" for code in ExitCode]
    topics = [
        f"- `llmcli-{topic}(1)`: {manual.page_summary(text)}" for topic, text in pages.items()
    ]
    parts = (
        "# llmcli: one-shot and piped completions from language models",
        "## Synopsis",
        _SYNOPSIS,
        "## Description",
        "The answer goes to stdout as it arrives, everything about it to stderr, and the exit code "
        "says how it ended. The prompt is made of the files of `-f`, then stdin, then PROMPT.",
        "## Commands",
        "\n".join(commands),
        "## Exit codes",
        "```\n" + "\n".join(codes) + "\n```",
        "What each of them means stands in `llmcli-exit-codes(1)`.",
        "## Manual",
        "\n".join(topics),
    )
    return "\n\n".join(parts) + "\n"


def _page(name: str, markdown: str) -> str:
    about = manual.page_summary(markdown)
    head = f'.TH "{name.upper()}" "1" "" "llmcli" "Manual of llmcli"'
    lines = [head, ".SH NAME", f"{_text(name)} \\- {_text(about)}"]
    body = re.sub(r"<!--.*?-->\n", "", markdown, flags=re.S).split("\n")[1:]
    return "\n".join([*lines, *_body(body)]) + "\n"


def _body(lines: list[str]) -> list[str]:
    first = next((line for line in lines if line), "")
    made = [] if first.startswith("#") else [".SH DESCRIPTION"]
    fenced = False
    paragraph: list[str] = []
    for number, line in enumerate([*lines, ""]):
        ends = fenced or not line.strip() or line.startswith(("```", "#", "- "))
        if ends and paragraph:
            made.append(_text(" ".join(paragraph)))
            paragraph = []
        if line.startswith("```"):
            made += [".EE", ".RE"] if fenced else [".PP", _inset(lines[number + 1 :]), ".EX"]
            fenced = not fenced
        elif fenced:
            made.append(_guarded(_inner(line)))
        elif line.startswith("#"):
            made.append(f'.SH "{_inner(line.lstrip("# ").upper())}"')
        elif line.strip():
            if ends or not paragraph:
                made.append(".IP \\(bu 2" if line.startswith("- ") else ".PP")
            paragraph.append(line.removeprefix("- ").strip())
    return made


def _inset(lines: list[str]) -> str:
    """Return the request that moves a fenced block to the right, or to the left if it is wide.

    Text begins in column 7, and a terminal of 80 columns shows 78 of a man page.
    """
    block = itertools.takewhile(lambda line: not line.startswith("```"), lines)
    return f".RS {max(-7, min(4, 78 - 7 - max(map(len, block))))}"


def _text(line: str) -> str:
    """Return a paragraph as one line: code is bold, links show where they lead."""
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", re.sub(r"\[(.+?)\]\((.+?)\)", r"\1 (\2)", line))
    made = []
    for part in parts:
        bold = part.startswith(("`", "**")) and len(part) > 2
        made.append(f"\\fB{_inner(part.strip('`*'))}\\fR" if bold else _inner(part))
    return _guarded("".join(made))


def _inner(text: str) -> str:
    """Return `text` with what roff would take for its own, or turn into typography, escaped."""
    table = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti",
             "…": "\\[u2026]", "“": "\\(lq", "”": "\\(rq", '"': "\\(dq"}  # fmt: skip
    return "".join(table.get(letter, letter) for letter in text)


def _guarded(line: str) -> str:
    """Return a line that does not begin as a request of roff."""
    return f"\\&{line}" if line.startswith((".", "'")) else line

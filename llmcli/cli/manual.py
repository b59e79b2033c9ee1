"""The manual: the pages of llmcli/help, as `llmcli help TOPIC` shows them.

A page is Markdown of few kinds: a title `# topic: what it is about`, headings, paragraphs, lists
and fenced blocks. The man pages are made from the same files.
"""

import re
from importlib.resources import files

# In the order in which a newcomer would read them.
TOPICS = (
    "start",
    "keys",
    "providers",
    "prompts",
    "options",
    "settings",
    "exit-codes",
    "retries",
    "json",
    "sessions",
    "templates",
    "schema",
    "tools",
    "map",
    "batch",
    "cluster",
    "money",
    "cron",
    "recipes",
    "commit-hook",
    "nightly-report",
    "enrich-csv",
    "embedded",
    "install",
    "benchmarks",
)


def read_page(topic: str) -> str:
    """Return the Markdown of the page of `topic`, one of TOPICS."""
    return (files("llmcli") / "help" / f"{topic}.md").read_text("utf-8")


def page_summary(page: str) -> str:
    """Return what the title of a page says behind the topic."""
    return page.partition("\n")[0].partition(": ")[2]


def page_text(page: str, *, bold: bool) -> str:
    """Return a page as it is shown: without comments, with fenced blocks indented.

    With `bold`, for a terminal, headings are bold; else they keep their `#`.
    """
    lines, fenced = [], False
    for line in re.sub(r"<!--.*?-->\n", "", page, flags=re.S).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            lines.append(f"    {line}".rstrip())
        elif bold and line.startswith("#"):
            lines.append(f"\x1b[1m{line.lstrip('# ')}\x1b[0m")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"

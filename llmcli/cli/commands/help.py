"""The command `help`: a page of the manual, the help of a command, or the list of both."""

import shlex
import signal
import subprocess
from typing import Annotated

import typer

from llmcli.cli import manual
from llmcli.cli.command_table import COMMANDS
from llmcli.cli.main import run_command
from llmcli.errors import UsageError
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, write_all
from llmcli.system.suggestions import near_names

_MOST_SUGGESTIONS = 3


def help(  # the name of the command
    context: typer.Context,
    topic: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="A topic or a command.")
    ] = None,
) -> None:
    """Print a page of the manual, or the help of a command.

    Without a topic it lists all topics and commands. On a terminal a page is shown by $PAGER, or by
    less.

    \b
    Examples:
      llmcli help
      llmcli help exit-codes
      llmcli help session show
    """
    environment: Environment = context.obj.environment
    words = topic or []
    name = "-".join(words).lower().replace("_", "-")
    if not words:
        _show(environment, _overview())
    elif name in manual.TOPICS:
        bold = environment.is_terminal(STDOUT) and not environment.variables.get("NO_COLOR")
        _show(environment, manual.page_text(manual.read_page(name), bold=bold))
    elif words[0] in COMMANDS:
        run_command([*words, "--help"], environment)
    else:
        raise _unknown(words, name)


def _overview() -> str:
    width = max(map(len, (*manual.TOPICS, *COMMANDS)))
    topics = [
        f"  {topic:{width}}  {manual.page_summary(manual.read_page(topic))}"
        for topic in manual.TOPICS
    ]
    commands = [f"  {name:{width}}  {about}" for name, about in COMMANDS.items()]
    parts = (
        "llmcli help TOPIC shows a page of the manual:",
        *topics,
        "",
        "llmcli COMMAND --help shows the options of a command:",
        *commands,
    )
    return "\n".join(parts) + "\n"


def _unknown(words: list[str], name: str) -> UsageError:
    """Return the error for `words`, which are neither a topic nor a command."""
    known = (*manual.TOPICS, *COMMANDS)
    begin = [one for one in known if one.startswith(name)]
    inside = [one for one in known if name in one.split("-")]
    near = dict.fromkeys([*begin, *inside, *near_names(name, known, _MOST_SUGGESTIONS)])
    meant = " or ".join(list(near)[:_MOST_SUGGESTIONS])
    hints = [f"did you mean {meant}?"] if meant else []
    hints.append("`llmcli help` lists all")
    if len(words) > 1:
        hints.append('to ask the model, `llmcli ask "help …"`')
    return UsageError(f"no such topic or command: {' '.join(words)}", hint="; ".join(hints))


def _show(environment: Environment, text: str) -> None:
    """Write `text` to stdout, on a terminal by way of the user's pager."""
    pager = environment.variables.get("PAGER", "less")
    if not (pager.strip() and environment.is_terminal(STDOUT) and _page(environment, pager, text)):
        write_all(STDOUT, text.encode())


def _page(environment: Environment, pager: str, text: str) -> bool:
    """Show `text` by the command line `pager`; return False if it cannot be run."""
    # -F: a page that fits on the screen is only printed; -R: bold text is shown as such; -X: what
    # was read stays on the screen.
    variables = {"LESS": "FRX", **environment.variables}
    try:
        process = subprocess.Popen(shlex.split(pager), stdin=subprocess.PIPE, env=variables)
    except (OSError, ValueError):
        return False
    # ^C is for the pager, which ends a search by it.
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process.communicate(text.encode())
    finally:
        signal.signal(signal.SIGINT, former)
    return True

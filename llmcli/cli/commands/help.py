"""The command `help`: the help of a command."""

from typing import Annotated

import typer

from llmcli.cli.command_table import COMMANDS
from llmcli.errors import UsageError
from llmcli.system.suggestions import did_you_mean

Topic = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TOPIC]...", help="A command, or a command and its subcommand."),
]


def help(context: typer.Context, topic: Topic = None) -> None:
    """Show the help of a command. Nothing is sent to a model.

    \b
    Examples:
      llmcli help
      llmcli help map
      llmcli help config check
    """
    from llmcli.cli import app  # noqa: PLC0415  # it is what loads this module

    words = topic or []
    if words and words[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        hint = did_you_mean(words[0], COMMANDS) or f"there is help on {known}"
        raise UsageError(f"there is no help on {words[0]}", hint=hint)
    app.run_typer([*words, "--help"], context.obj.environment, alone=False)

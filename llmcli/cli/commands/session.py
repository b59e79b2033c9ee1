"""Conversations that were kept: list, show, remove, export."""

from typing import Annotated, Any

import typer

from llmcli.chat.sessions import last, store
from llmcli.chat.sessions.as_text import as_text
from llmcli.chat.sessions.history import Session
from llmcli.errors import LlmcliError
from llmcli.output.json import print_json
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, print_line
from llmcli.system.text import harmless, one_line

app = typer.Typer(rich_markup_mode=None)

_OPENING = 60
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Name = Annotated[
    str | None,
    typer.Argument(metavar="[SESSION]", help="Name or path; none: the last of this terminal."),
]
Names = Annotated[list[str], typer.Argument(metavar="SESSION...", help="Names or paths.")]


@app.callback()
def conversations() -> None:
    """Conversations that were kept by `ask --session NAME`.

    They are files of one JSON object a turn, which only you can read.

    \b
    Examples:
      llmcli ask --session trip "Where to in May?"
      llmcli ask -c "And in June?"
      llmcli session show trip
    """


@app.command("list")
def list_sessions(context: typer.Context, as_json: Json = False) -> None:
    """Print the sessions, the last used first.

    A line each: name, turns, time of the last, model, first words; tabs between them.

    \b
    Examples:
      llmcli session list
      llmcli session list --json | jq -r '.[].name'
    """
    environment: Environment = context.obj.environment
    rows: list[dict[str, Any]] = []
    for name in store.session_names(environment):
        try:
            rows.append(_row(store.load_session(environment, name)))
        except LlmcliError as error:
            environment.say(str(error))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print_line("\t".join(harmless(str("-" if v is None else v)) for v in row.values()))


def _row(session: Session) -> dict[str, Any]:
    words = (m.get("content") for m in session.messages() if m.get("role") == "user")
    first = next((w for w in words if isinstance(w, str)), "")
    return {
        "name": session.name,
        "turns": len(session.turns),
        "time": session.last("time"),
        "model": session.last("model"),
        "first": one_line(first, _OPENING),
    }


@app.command("show")
def show_session(context: typer.Context, name: Name = None, as_json: Json = False) -> None:
    """Print a conversation.

    With --json every turn as it is kept, with model, usage and cost.

    \b
    Examples:
      llmcli session show trip
      llmcli session show trip --json | jq '.turns[].cost_usd'
    """
    environment: Environment = context.obj.environment
    session = _named(environment, name)
    if as_json:
        about = {"name": session.name, "path": str(session.path), "turns": session.turns}
        print_json(about)
        return
    text = as_text(session)
    print_line(harmless(text) if environment.is_terminal(STDOUT) else text)


@app.command("export")
def export_session(context: typer.Context, name: Name = None) -> None:
    """Print what `--messages` takes: the conversation as the next request would carry it.

    \b
    Example:
      llmcli session export trip > trip.json; llmcli ask --messages trip.json "And in July?"
    """
    environment: Environment = context.obj.environment
    session = _named(environment, name)
    print_json(session.messages())
    if left_out := sum(bool(turn.get("incomplete")) for turn in session.turns):
        environment.say(f"left out: {left_out} incomplete")


@app.command("remove")
def remove_sessions(context: typer.Context, names: Names) -> None:
    """Remove conversations.

    \b
    Example:
      llmcli session remove trip
    """
    failure: LlmcliError | None = None
    for name in names:
        try:
            store.remove_session(context.obj.environment, name)
        except LlmcliError as error:
            if failure:
                context.obj.environment.say(str(failure))
            failure = error
    if failure:
        raise failure


def _named(environment: Environment, name: str | None) -> Session:
    name = last.last_name(environment)[0] if name is None else name
    return store.load_session(environment, name, must_exist=True)

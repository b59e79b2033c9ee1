"""The command `session`: list, show, export and remove conversations that were kept."""

from typing import Annotated, Any

import typer

from llmcli.chat.sessions import store
from llmcli.chat.sessions.as_text import as_text
from llmcli.chat.sessions.history import Session
from llmcli.errors import LlmcliError
from llmcli.output.json import print_json
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, print_line
from llmcli.system.text import harmless, one_line

app = typer.Typer(rich_markup_mode=None)

# Characters that `list` shows of the first message.
_LONGEST_OPENING = 60
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Name = Annotated[
    str | None,
    typer.Argument(metavar="[SESSION]", help="Name or path; none: the last of this terminal."),
]
Names = Annotated[list[str], typer.Argument(metavar="SESSION...", help="Names or paths.")]


@app.callback()
def conversations() -> None:
    """List, show, export and remove conversations of `ask --session`.

    Each is a file with one JSON object for each turn, which only you can read.

    \b
    Examples:
      llmcli ask --session trip "Where to in May?"
      llmcli ask -c "And in June?"
      llmcli session show trip
    """


@app.command("list")
def list_sessions(context: typer.Context, *, as_json: Json = False) -> None:
    """Print the sessions, the most recently used first.

    Each line has name, number of turns, time of the last turn, model and first words, separated by
    tabs.

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
            environment.say(str(error))  # a damaged file must not hide the other sessions
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print_line("\t".join(harmless(str("-" if v is None else v)) for v in row.values()))


def _row(session: Session) -> dict[str, Any]:
    """Return what `list` shows of a session; its last field is the beginning of the first text."""
    contents = (m.get("content") for m in session.messages() if m.get("role") == "user")
    first = next((content for content in contents if isinstance(content, str)), "")
    return {
        "name": session.name,
        "turns": len(session.turns),
        "time": session.last("time"),
        "model": session.last("model"),
        "first": one_line(first, _LONGEST_OPENING),
    }


@app.command("show")
def show_session(context: typer.Context, name: Name = None, *, as_json: Json = False) -> None:
    """Print a conversation.

    --json prints every turn as it is kept, with model, usage and cost.

    \b
    Examples:
      llmcli session show trip
      llmcli session show trip --json | jq '.turns[].cost_usd'
    """
    environment: Environment = context.obj.environment
    session = _load_session(environment, name)
    if as_json:
        whole = {"name": session.name, "path": str(session.path), "turns": session.turns}
        print_json(whole)
        return
    text = as_text(session)
    print_line(harmless(text) if environment.is_terminal(STDOUT) else text)


@app.command("export")
def export_session(context: typer.Context, name: Name = None) -> None:
    """Print a conversation for `ask --messages`.

    It is what the next request would send, as JSON.

    \b
    Example:
      llmcli session export trip > trip.json; llmcli ask --messages trip.json "And in July?"
    """
    environment: Environment = context.obj.environment
    session = _load_session(environment, name)
    print_json(session.messages())
    if left_out := sum(bool(turn.get("incomplete")) for turn in session.turns):
        turns = "turn" if left_out == 1 else "turns"
        environment.say(f"left out {left_out} incomplete {turns}")


@app.command("remove")
def remove_sessions(context: typer.Context, names: Names) -> None:
    """Remove conversations.

    \b
    Example:
      llmcli session remove trip
    """
    # All that can be removed is; of several failures the last one makes the exit code.
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


def _load_session(environment: Environment, name: str | None) -> Session:
    """Return the session `name`; for None that which was last used at this terminal, or anywhere.

    Raises NoInput where there is none.
    """
    if name is None:
        return store.load_last_session(environment)[0]
    return store.load_session(environment, name, must_exist=True)

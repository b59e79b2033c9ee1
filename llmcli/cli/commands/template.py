"""The command `template`: list, show and edit saved prompts."""

import os
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from llmcli.chat.prompt import templates
from llmcli.errors import CantCreate, ConfigError, LlmcliError, NoInput
from llmcli.system.environment import Environment
from llmcli.system.files.regular import open_regular, read_regular
from llmcli.system.stdio import STDIN, STDOUT, print_line
from llmcli.system.text import harmless, one_line

app = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Its name, or a path.")]

# What `edit` opens for a new template. It is valid, so that it can be tried at once.
_NEW = b'''\
# description = "What it is for"
# model = "..."
# system = "You are ..."
prompt = """
Say {word} in {language}.
"""

[defaults]
language = "French"
'''


@app.callback()
def saved_prompts() -> None:
    """List, show and edit saved prompts, for `ask -t NAME`.

    A template is a TOML file with `prompt` and `system`, which may have `{variables}`; their
    `[defaults]`; `model`; and options such as `temperature`. `{stdin}` stands for what is piped
    in, `{prompt}` for PROMPT, and `{{name}}` for a literal `{name}`.

    \b
    Examples:
      llmcli template edit greet
      llmcli ask -t greet -p word=hello
      git diff | llmcli ask -t review
    """


@app.command("list")
def list_templates(context: typer.Context) -> None:
    """Print the templates.

    Each line has name, variables and description, separated by tabs.

    \b
    Example:
      llmcli template list
    """
    environment: Environment = context.obj.environment
    for name in templates.template_names(environment):
        try:
            template = templates.load_template(environment, name)
        except LlmcliError as error:
            environment.say(str(error))  # a damaged file must not hide the other templates
            continue
        about = one_line(template.description or template.prompt or template.system or "", 60)
        print_line(harmless(f"{name}\t{' '.join(template.variables()) or '-'}\t{about}"))


@app.command("show")
def show_template(context: typer.Context, name: Name) -> None:
    """Print a template as it stands in its file.

    \b
    Example:
      llmcli template show greet
    """
    environment: Environment = context.obj.environment
    text = templates.load_template(environment, name).path.read_text("utf-8").rstrip("\n")
    print_line(harmless(text) if environment.is_terminal(STDOUT) else text)


@app.command("edit")
def edit_template(context: typer.Context, name: Name) -> None:
    """Open a template, new or not, in $EDITOR, and check it.

    $VISUAL comes before $EDITOR.

    \b
    Example:
      EDITOR=nano llmcli template edit greet
    """
    environment: Environment = context.obj.environment
    path = templates.template_path(environment, name)
    try:
        new = _is_new(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if new:
            _create(path)
    except OSError as error:
        raise CantCreate(f"cannot write {path}: {error.strerror}") from None
    try:
        _edit(environment, str(path))
    finally:
        if new:
            _remove_unchanged(path)
    if not os.path.exists(path):
        raise NoInput("nothing was changed, so no template was made")
    templates.load_template(environment, name)


def _is_new(path: Path) -> bool:
    """Return whether there is no file at `path`; raise OSError if there is none that can be read.

    Only what certainly does not exist is new: a new template is removed if it stays as it was.
    """
    try:
        open_regular(path).close()
    except FileNotFoundError:
        return True
    return False


def _create(path: Path) -> None:
    """Write the new template to `path`; raise OSError, and leave nothing there, if that fails."""
    # A link to nowhere stays, and what it leads to is created.
    with open(os.path.realpath(path), "xb") as file:
        try:
            file.write(_NEW)
            file.flush()
        except OSError:
            os.unlink(file.name)
            raise


def _remove_unchanged(path: Path) -> None:
    """Remove a new template that the editor has not changed, or emptied as on a full disk."""
    with suppress(OSError):  # gone by now, or something that only the next command can judge
        if read_regular(path) in (b"", _NEW):
            path.unlink()


def _edit(environment: Environment, path: str) -> None:
    """Run the user's editor on `path` until it ends.

    Raises ConfigError where it cannot be run or ends with another exit code than 0.
    """
    variables = environment.variables
    editor = variables.get("VISUAL") or variables.get("EDITOR") or "vi"
    if editor == "vi" and not environment.is_terminal(STDIN):
        raise ConfigError("cannot run vi without a terminal", hint="set EDITOR")
    try:
        code = subprocess.run([*shlex.split(editor), path], check=False).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot run the editor {editor}: {reason}", hint="set EDITOR") from None
    if code:
        raise ConfigError(f"the editor {os.path.basename(editor)} ended with exit code {code}")

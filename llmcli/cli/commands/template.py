"""Saved prompts: list, show, edit."""

import os
import shlex
import subprocess
from typing import Annotated

import typer

from llmcli.chat.prompt import templates
from llmcli.errors import CantCreate, ConfigError, LlmcliError, NoInput
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN, STDOUT, print_line
from llmcli.system.text import harmless, one_line

app = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Its name, or a path.")]

_NEW = '''\
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
    """Saved prompts, for `ask -t NAME -p variable=value`.

    TOML files: `prompt` and `system` with `{variables}`, their `[defaults]`, `model`, and options
    such as `temperature`. `{stdin}` and `{prompt}` stand for what is piped in and for PROMPT;
    `{{name}}` is a literal `{name}`.

    \b
    Examples:
      llmcli template edit greet
      llmcli ask -t greet -p word=hello
      git diff | llmcli ask -t review
    """


@app.command("list")
def list_templates(context: typer.Context) -> None:
    """Print the templates.

    A line each: name, variables, description; tabs between them.

    \b
    Example:
      llmcli template list
    """
    environment: Environment = context.obj.environment
    for name in templates.template_names(environment):
        try:
            template = templates.load_template(environment, name)
        except LlmcliError as error:
            environment.say(str(error))
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
    """Open a template, new or old, in $VISUAL or $EDITOR; then check it.

    \b
    Example:
      EDITOR=nano llmcli template edit greet
    """
    environment: Environment = context.obj.environment
    path = templates.template_path(environment, name)
    new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if new:
            path.write_text(_NEW, "utf-8")
    except OSError as error:
        raise CantCreate(f"cannot create {path}: {error.strerror}") from None
    try:
        _open(environment, str(path))
    finally:
        if new and path.exists() and path.read_text("utf-8", "replace") == _NEW:
            path.unlink()
    if not path.exists():
        raise NoInput("nothing was changed, so no template was made")
    templates.load_template(environment, name)


def _open(environment: Environment, path: str) -> None:
    variables = environment.variables
    editor = variables.get("VISUAL") or variables.get("EDITOR") or "vi"
    if editor == "vi" and not environment.is_terminal(STDIN):
        raise ConfigError("there is no terminal for vi", hint="set EDITOR")
    try:
        code = subprocess.run([*shlex.split(editor), path], check=False).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot run the editor {editor}: {reason}", hint="set EDITOR") from None
    if code:
        raise ConfigError(f"the editor {os.path.basename(editor)} ended with exit code {code}")

"""The command `config`: where settings come from, and whether they work."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from llmcli.cli import doctor
from llmcli.cli.masking import masked
from llmcli.config import endpoints, file, keys, providers, url
from llmcli.config.settings import DOCS, Settings
from llmcli.errors import LlmcliError, NoInput
from llmcli.system.environment import Environment
from llmcli.system.stdio import print_line
from llmcli.system.text import harmless

app = typer.Typer(rich_markup_mode=None)

_EMBEDDED = "the embedded model"

Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="PROFILE", help="A profile, or a provider."),
]
BaseURL = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="Endpoint to look at.")
]
Model = Annotated[
    str | None, typer.Option("--model", "-m", metavar="MODEL", help="Model to look at.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.callback()
def settings_commands() -> None:
    """Show where settings come from, and check that they work.

    \b
    Examples:
      llmcli config check
      $EDITOR "$(llmcli config path)"
      llmcli config show --profile work
    """


@app.command("path")
def print_path(context: typer.Context) -> None:
    """Print the path of config.toml, which need not exist.

    \b
    Example:
      $EDITOR "$(llmcli config path)"
    """
    environment: Environment = context.obj.environment
    path = environment.config_file
    if environment.is_nowhere(path):
        raise NoInput(
            "there is no home directory", hint="set HOME, XDG_CONFIG_HOME or LLMCLI_CONFIG"
        )
    print_line(str(path))


@app.command("show")
def show_settings(
    context: typer.Context, profile: Profile = None, *, as_json: Json = False
) -> None:
    """Print every setting with its value and where that comes from.

    Secrets are masked.

    \b
    Examples:
      llmcli config show
      llmcli config show --json | jq .model
    """
    environment: Environment = context.obj.environment
    settings = file.resolve(environment, {}, profile)
    rows: dict[str, tuple[Any, str]] = {"profile": (settings.profile, "")}
    rows["endpoint"] = _endpoint(settings, environment.variables)
    rows |= {name: (_masked(name, settings), settings.source(name)) for name in DOCS}
    rows["api_key"] = keys.describe(environment, settings)
    if as_json:
        table = {n: {"value": value, "source": source} for n, (value, source) in rows.items()}
        # Indented, unlike all other JSON of llmcli: it is read by people as well.
        print_line(json.dumps(table, ensure_ascii=False, indent=2))
        return
    for name, (value, source) in rows.items():
        shown = "-" if value is None else harmless(json.dumps(value, ensure_ascii=False))
        print_line(f"{name:<16} {shown:<32} {source}")


@app.command("check")
def check_settings(
    context: typer.Context, profile: Profile = None, base_url: BaseURL = None, model: Model = None
) -> None:
    """Say what works, what does not, and how to mend it.

    This asks the endpoint for its models and keeps their ids, which the shell then completes.

    \b
    Examples:
      llmcli config check
      llmcli config check --profile work
    """
    environment: Environment = context.obj.environment
    try:
        settings = file.resolve(environment, {"base_url": base_url, "model": model}, profile)
    except LlmcliError as error:
        print_line(f"FAIL  config      {error}")
        raise typer.Exit(error.exit_code) from None
    environment.start_deadline(settings.deadline)
    # The first failure decides the exit code: those after it may only follow from it.
    exit_code = 0
    for finding in doctor.examine(environment, settings):
        print_line(f"{finding.mark:<4}  {finding.text}")
        if finding.error and not exit_code:
            exit_code = finding.error.exit_code
    raise typer.Exit(exit_code)


def _endpoint(settings: Settings, variables: Mapping[str, str]) -> tuple[str | None, str]:
    """Return who is asked, a provider or a host, and what chose it; None if nobody is asked."""
    if endpoints.is_local(settings.model):
        return _EMBEDDED, settings.source("model")
    if settings.base_url:
        known = providers.chosen(settings.provider, settings.base_url)
        name = known.name if known else _host(settings.base_url)
        return name, settings.source("base_url")
    if found := providers.with_keys(variables):
        return None, str(endpoints.several(found, variables))
    return None if settings.model else _EMBEDDED, "no key and no endpoint is configured"


def _host(base_url: str) -> str | None:
    """Return the host of a URL, without a user and password, whatever characters those have."""
    if "@" in base_url:
        return base_url.rpartition("@")[2].partition("/")[0]
    return url.host_of(base_url) or None


def _masked(name: str, settings: Settings) -> Any:
    """Return the value of the setting `name` without secrets.

    These are what looks like one in headers, options, the key command and a query, and the user and
    password of a URL.
    """
    value = getattr(settings, name)
    if name in ("headers", "options", "api_key_command", "http_referer"):
        return masked(value)
    if name == "base_url" and value:
        # First what stands before an @: a password may hold a ?, where the query would begin.
        _, at, rest = value.rpartition("@")
        return f"***@{url.shown(rest)}" if at else url.shown(rest)
    return value

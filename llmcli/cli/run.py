"""What a command finds of the run that it is part of."""

from typing import NamedTuple

from llmcli.system.environment import Environment


class Run(NamedTuple):
    """`implicit`: the user did not write `ask`. `commands`: the words that are none of a prompt."""

    environment: Environment
    implicit: bool
    commands: tuple[str, ...]

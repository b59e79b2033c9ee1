"""The command tree, as Typer builds it, in the few words that generators need."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from llmcli.cli.app import app, load_command


@dataclass(frozen=True)
class Option:
    names: tuple[str, ...]
    metavar: str | None
    help: str
    repeatable: bool


@dataclass(frozen=True)
class Command:
    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    argument: str  # the metavar of its argument, if it takes one by name
    commands: tuple["Command", ...]

    def walk(self) -> Iterator["Command"]:
        yield self
        for command in self.commands:
            yield from command.walk()


def tree() -> Command:
    return _command(typer.main.get_command(app()), (), None)


def _command(command: Any, path: tuple[str, ...], parent: Any) -> Command:
    context = command.make_context("llmcli", [], parent=parent, resilient_parsing=True)
    options = tuple(
        _option(parameter)
        for parameter in command.get_params(context)
        if parameter.param_type_name == "option"
    )
    commands = tuple(
        _command(sub if path else load_command(name), (*path, name), context)
        for name, sub in getattr(command, "commands", {}).items()
    )
    arguments = [p for p in command.get_params(context) if p.param_type_name == "argument"]
    argument = (arguments[0].metavar or "").strip("[].") if arguments else ""
    return Command(path, (command.help or "").strip().splitlines()[0], options, argument, commands)


def _option(parameter: Any) -> Option:
    metavar = None if parameter.is_flag else parameter.metavar
    names = sorted(parameter.opts, key=len)  # those of --help come from a set
    return Option(tuple(names), metavar, parameter.help or "", parameter.multiple)

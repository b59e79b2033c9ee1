"""What is wrong with a command line, in our words instead of those of Typer."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from typer.exceptions import TyperException

from llmcli.cli.habits import extra_word, foreign_option, foreign_subcommand
from llmcli.errors import UsageError
from llmcli.system.suggestions import did_you_mean, near_names

# The least likeness of an option that is suggested: more than that of `code` and `model`.
_LIKENESS = 0.7
# What a value must be, by the name that Typer has for its type.
_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "int range": "a whole number",
    "Seconds": "a time in seconds, or such as 90s, 5m or 1.5h",
}


def usage_error(error: TyperException, arguments: Sequence[str]) -> UsageError:
    """Return our error for an error that Typer raised for `arguments`."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else f"llmcli {arguments[0]}"
    found = (
        _wrong_option(error, context, command) or _wrong_value(error) or _wrong_word(error, command)
    )
    if found:
        return found
    # Typer writes sentences; our messages begin with a small letter.
    message = error.format_message().replace("\n", " ").rstrip(".?")
    return UsageError(message[:1].lower() + message[1:], hint=f"see {command} --help")


def _wrong_option(error: Any, context: Any, command: str) -> UsageError | None:
    """Return the error for an option that does not exist or lacks its value."""
    name, see = getattr(error, "option_name", None), f"see {command} --help"
    if name is None:
        return None
    if "requires" in error.message:
        return UsageError(f"{name} needs a value behind it", hint=see)
    if "does not take" in error.message:
        return UsageError(f"{name} takes no value", hint=see)
    known = _options(context) if context else []
    # A value that is joined to the name, as in `-key…`, may be a secret: only the name is shown.
    hint = foreign_option(name, command.split()[-1]) or _meant(name.replace("_", "-"), known)
    return UsageError(f"no such option: {name}", hint=hint or see)


def _meant(name: str, known: list[str]) -> str | None:
    """Return the hint for an option that is nearly one of the `known` ones.

    The dashes are left out, as they make all options alike.
    """
    names = [one.lstrip("-") for one in known]
    near = near_names(name.lstrip("-"), names, likeness=_LIKENESS) if name.startswith("--") else []
    return f"did you mean {' or '.join(f'--{one}' for one in near)}?" if near else None


def _options(context: Any) -> list[str]:
    """Return the long names of the options of the command of `context`."""
    parameters = context.command.get_params(context)
    return [name for p in parameters for name in p.opts if name.startswith("--")]


def _wrong_value(error: Any) -> UsageError | None:
    """Return the error for an option whose value is not valid."""
    parameter = getattr(error, "param", None)
    text = getattr(error, "message", "")
    if parameter is None or parameter.param_type_name != "option" or not text:
        return None
    name = max(parameter.opts, key=len)
    value = re.split(r" is not | must be ", text)[0].rstrip(".")
    if choices := getattr(parameter.type, "choices", None):
        known = [str(getattr(choice, "value", choice)) for choice in choices]
        hint = did_you_mean(value.strip("'"), known)
        return UsageError(f"{name} must be one of {', '.join(known)}, not {value}", hint=hint)
    kind = _KINDS.get(parameter.type.name)
    if kind is None:
        return None
    least = getattr(parameter.type, "min", None)
    bound = "" if least is None else f" from {least}"
    return UsageError(f"{name} must be {kind}{bound}, not {value}")


def _wrong_word(error: Any, command: str) -> UsageError | None:
    """Return the error for a subcommand that is missing or unknown, or a word too many."""
    context, text = getattr(error, "ctx", None), error.format_message()
    known: Mapping[str, Any] = getattr(getattr(context, "command", None), "commands", {})
    see = f"see {command} --help"
    if text.startswith("Missing command"):
        return UsageError(f"missing command: one of {', '.join(known)}", hint=see)
    if text.startswith("No such command") and known:
        name = text.split("'")[1] if "'" in text else ""
        hint = foreign_subcommand(command.split()[-1], name, known) or did_you_mean(name, known)
        of = f"{command} has {', '.join(known)}"
        joint = " " if hint and hint.endswith("?") else "; "
        return UsageError(f"no such command '{name}'", hint=f"{hint}{joint}{of}" if hint else of)
    if text.startswith("Missing argument"):
        argument = text.split("'")[1] if "'" in text else "an argument"
        return UsageError(f"missing {argument}: {command} {argument}", hint=see)
    if match := re.match(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", text):
        hint = extra_word(command.split()[-1]) or see
        return UsageError(f"unexpected extra argument of {command}: {match[1]}", hint=hint)
    return None

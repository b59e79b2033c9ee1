"""Definitions of tools, in the form of OpenAI's Chat Completions API.

Beside `function` a definition may have keys of llmcli's own, which say how to run the tool as a
program: `command`, `timeout`, `max_output` and `env`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmcli.errors import BadRequest
from llmcli.system.dataclass import dataclass, field
from llmcli.system.duration import Seconds
from llmcli.system.suggestions import did_you_mean

# The default and the most of `timeout`, in seconds, and of `max_output`, in bytes.
_TIMEOUT = 60.0
_LONGEST_TIMEOUT = 86400.0
_OUTPUT = 2**20
_LARGEST_OUTPUT = 2**26
# The keys that are for llmcli alone. They are not sent: an endpoint may refuse unknown keys.
_OWN = ("command", "timeout", "max_output", "env")
_KNOWN = ("type", "function", *_OWN)
_FORM = 'expected [{"type": "function", "function": {"name": ..., "parameters": {...}}}]'
# How the lists of texts are written, for messages.
_EXAMPLES = {"command": '["program", "argument"]; no shell reads it', "env": '["NAME"]'}

# The variables that programs need to find files and to know the user's language and time zone.
_HARMLESS = re.compile(r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|PWD")
# The variables that no tool gets, even if its definition names them: they hold keys.
_NEVER = re.compile(r"LLMCLI_.*|CLINE_API_KEY")
# A shorter key, such as one made up for a server at home, is a word that other values contain too.
_SHORT_SECRET = 8


@dataclass(frozen=True)
class Tool:
    """A function that the model may call.

    `parameters` is the JSON Schema of its arguments. `command` is the program that runs it, with
    arguments; it is empty if the caller of llmcli answers the calls. `timeout` is in seconds,
    `max_output` in bytes of stdout. `env` are the names of variables that the program sees beside
    the usual ones.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    timeout: float = _TIMEOUT
    max_output: int = _OUTPUT
    env: tuple[str, ...] = ()


@dataclass(frozen=True)
class Toolbox:
    """The tools of one run.

    `definitions` are as they are sent, and may have entries that are not functions. `tools` maps
    names to the functions among them.
    """

    definitions: Sequence[dict[str, Any]]
    tools: Mapping[str, Tool]

    @property
    def runnable(self) -> list[Tool]:
        """Return the tools that llmcli can run itself, as they have a command."""
        return [tool for tool in self.tools.values() if tool.command]


def parse_tools(text: str, name: str) -> Toolbox:
    """Read definitions of tools from JSON.

    `text` is a list of definitions, an object with such a list as `tools`, or one definition.
    `name` is the name of the file, for messages. Raises BadRequest for what is not of this form.
    """
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is not JSON: {error}") from None
    value = value.get("tools") if isinstance(value, dict) and "tools" in value else value
    entries = value if isinstance(value, list) else [value]
    tools: dict[str, Tool] = {}
    for index, entry in enumerate(entries):
        where = f"{name}: tool {index}"
        if not isinstance(entry, dict):
            raise BadRequest(f"{where} is not an object", hint=_FORM)
        tool = _tool(entry, where)
        if tool and tool.name in tools:
            raise BadRequest(f"{where}: there are two tools named {tool.name!r}")
        if tool:
            tools[tool.name] = tool
    if not entries:
        raise BadRequest(f"{name} defines no tools")
    sent = [{key: item for key, item in entry.items() if key not in _OWN} for entry in entries]
    return Toolbox(sent, tools)


def _tool(entry: dict[str, Any], where: str) -> Tool | None:
    """Return the tool of a definition; None if its type is not a function.

    Other types, such as a web search, are run by the endpoint itself. Raises BadRequest for a
    definition that is malformed.
    """
    if entry.get("type", "function") != "function":
        return None
    function = entry.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise BadRequest(f"{where} has no function with a name", hint=_FORM)
    where = f"{where} ({name})"
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadRequest(f"{where}: parameters must be a JSON Schema")
    for key in entry:
        # An endpoint may have keys of its own, so only a misspelling is an error.
        if key not in _KNOWN and (near := did_you_mean(key, _OWN, likeness=0.75)):
            raise BadRequest(f"{where}: unknown key {key!r}", hint=near)
    timeout = _number(entry, "timeout", _TIMEOUT, _LONGEST_TIMEOUT, where)
    output = _number(entry, "max_output", _OUTPUT, _LARGEST_OUTPUT, where)
    if output != int(output):
        raise BadRequest(f"{where}: max_output must be a whole number of bytes")
    if misplaced := [key for key in _OWN if key in function]:
        raise BadRequest(f"{where}: {misplaced[0]} must stand beside function, not in it")
    return Tool(
        name=name,
        parameters=parameters,
        command=_texts(entry, "command", where),
        timeout=timeout,
        max_output=int(output),
        env=_texts(entry, "env", where),
    )


def _number(entry: dict[str, Any], key: str, default: float, most: float, where: str) -> float:
    """Return the positive number `key` of a definition; a time may be a text such as `5m`.

    Raises BadRequest for anything else, and if it is above `most`.
    """
    value = entry.get(key, default)
    if key == "timeout" and isinstance(value, str):
        try:
            value = Seconds(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise BadRequest(f"{where}: {key} must be above 0 and at most {most:,.10g}")
    return value


def _texts(entry: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    """Return the list `key` of a definition, () if it has none. Raises BadRequest."""
    value = entry.get(key)
    if value is None:
        return ()
    listed = isinstance(value, list) and all(isinstance(item, str) for item in value)
    # The system takes no NUL in an argument.
    if not listed or not value or not value[0] or any("\0" in item for item in value):
        hint = f"such as {_EXAMPLES[key]}"
        raise BadRequest(f"{where}: {key} must be a list of texts", hint=hint)
    return tuple(value)


def _contains(value: str, secret: str) -> bool:
    """Return whether the variable with this value would give the secret away."""
    return secret in value if len(secret) >= _SHORT_SECRET else secret == value


def environment_of(tool: Tool, variables: Mapping[str, str], secrets: set[str]) -> dict[str, str]:
    """Return the variables that the program of `tool` sees, out of those of this process.

    They are the few that programs need and those that its definition names. A variable of llmcli,
    or one whose value contains one of `secrets`, is left out even if the definition names it.
    """
    return {
        name: value
        for name, value in variables.items()
        if (_HARMLESS.fullmatch(name) or name in tool.env)
        and not _NEVER.fullmatch(name)
        and not any(_contains(value, secret) for secret in secrets)
    }

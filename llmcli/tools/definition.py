"""Tool definitions: OpenAI's form, and beside `function` what llmcli needs to run one itself."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmcli.errors import BadRequest
from llmcli.system.dataclass import dataclass, field
from llmcli.system.suggestions import did_you_mean

_TIMEOUT = 60.0
_LONGEST = 86400.0
_OUTPUT = 2**20
_MOST_OUTPUT = 2**26
# Ours: never sent.
_OWN = ("command", "timeout", "max_output", "env")
_KNOWN = ("type", "function", *_OWN)


@dataclass(frozen=True)
class Tool:
    """`timeout` in seconds, `max_output` in bytes, `env`: names of further variables it sees."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    timeout: float = _TIMEOUT
    max_output: int = _OUTPUT
    env: tuple[str, ...] = ()


@dataclass(frozen=True)
class Toolbox:
    """`definitions` as they are sent, `tools` by name."""

    definitions: Sequence[dict[str, Any]]
    tools: Mapping[str, Tool]

    @property
    def runnable(self) -> list[Tool]:
        return [tool for tool in self.tools.values() if tool.command]


def parse_tools(text: str, name: str) -> Toolbox:
    """A JSON list of definitions, or an object that holds one as `tools`. Raises BadRequest."""
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


_FORM = 'expected [{"type": "function", "function": {"name": ..., "parameters": {...}}}]'


def _tool(entry: dict[str, Any], where: str) -> Tool | None:
    """None for what is no function, such as a search that the endpoint runs itself."""
    if entry.get("type", "function") != "function":
        return None
    function = entry.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise BadRequest(f"{where} has no function with a name", hint=_FORM)
    where = f"{where} ({name})"
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadRequest(f"{where}: parameters is no JSON Schema")
    for key in entry:
        if key not in _KNOWN and (near := did_you_mean(key, _OWN, likeness=0.75)):
            raise BadRequest(f"{where}: unknown key {key!r}", hint=near)
    timeout = _number(entry, "timeout", _TIMEOUT, _LONGEST, where)
    output = _number(entry, "max_output", _OUTPUT, _MOST_OUTPUT, where)
    if output != int(output):
        raise BadRequest(f"{where}: max_output is no whole number of bytes")
    if misplaced := [key for key in _OWN if key in function]:
        raise BadRequest(f"{where}: {misplaced[0]} stands beside function, not in it")
    return Tool(
        name=name,
        parameters=parameters,
        command=_texts(entry, "command", where),
        timeout=timeout,
        max_output=int(output),
        env=_texts(entry, "env", where),
    )


def _number(entry: dict[str, Any], key: str, default: float, most: float, where: str) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise BadRequest(f"{where}: {key} is no number from 0 to {most:g}")
    return value


def _texts(entry: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = entry.get(key)
    if value is None:
        return ()
    listed = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if not listed or not value or not value[0] or any("\0" in item for item in value):
        hint = 'as in ["program", "argument"]; no shell reads it'
        raise BadRequest(f"{where}: {key} is no list of texts", hint=hint)
    return tuple(value)


_HARMLESS = re.compile(r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|PWD")
_NEVER = re.compile(r"LLMCLI_.*|CLINE_API_KEY")


_SHORT = 8


def _holds(value: str, secret: str) -> bool:
    """A short key, such as one made up for a server at home, is a word that others hold too."""
    return secret in value if len(secret) >= _SHORT else secret == value


def environment_of(tool: Tool, variables: Mapping[str, str], secrets: set[str]) -> dict[str, str]:
    """What a tool sees: the few variables that programs need, what its definition names, no key."""
    return {
        name: value
        for name, value in variables.items()
        if (_HARMLESS.fullmatch(name) or name in tool.env)
        and not _NEVER.fullmatch(name)
        and not any(_holds(value, secret) for secret in secrets)
    }

"""Options of ask that exclude each other, and words that look like a mistyped command."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.chat.prompt import content, reading
from llmcli.cli.command_table import COMMANDS
from llmcli.config.options import AskOptions
from llmcli.errors import UsageError
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.chat.sessions.history import Session


def check_words(words: Sequence[str], implicit: bool) -> str:
    """The prompt in `words`. A typo must not cost money: raises UsageError for what looks like
    one where `ask` was not written (`implicit`)."""
    text = reading.words(words)
    if words and not text.strip():
        raise UsageError("empty prompt; nothing sent")
    if len(words) > 1 and "-" in (words[0], words[-1]):
        raise UsageError("`-` stands alone", hint="to put stdin into a PROMPT, write {stdin}")
    if implicit and words:
        dashes = "-- " if text.startswith("-") else ""
        hint = f"to ask the model, put `ask` first: `llmcli ask {dashes}{text}`"
        if words[0] in COMMANDS:
            raise UsageError(f"{words[0]} is a command: put it before its options", hint=hint)
        if len(words) == 1 and text != "-" and not any(c.isspace() for c in text):
            raise UsageError(f"no such command: {text}", hint=hint)
    return text


def check_given(environment: Environment, options: AskOptions, text: str) -> None:
    """Raises UsageError for options that exclude each other, and, with a short help, where there
    is nothing to read either."""
    given, talk = options.prompt, options.conversation
    if talk.session is not None and talk.go_on:
        raise UsageError("--session and --continue exclude each other")
    if given.param and not given.template:
        raise UsageError("-p gives a template's variable; name the template with -t")
    nothing = not (text or given.file or given.template or talk.messages or talk.tool_result)
    if nothing and (given.no_stdin or content.nothing_given(environment)):
        hint = 'llmcli "your question", or pipe text in, or `-` to type it; see llmcli --help'
        raise UsageError("no prompt", hint=hint)


def check_files(options: AskOptions, kept: "Session | None") -> None:
    """Raises UsageError where two options would write the same file."""
    named = {
        "-O": options.output.output,
        "--usage-file": options.output.usage_file,
        "--save-messages": options.conversation.save_messages,
        "--session": str(kept.path) if kept else None,
    }
    seen: dict[str, str] = {}
    for option, name in named.items():
        path = _real(name) if name else ""
        if path in seen:
            raise UsageError(f"{seen[path]} and {option} name the same file")
        if name and not (os.path.exists(path) and not os.path.isfile(path)):
            seen[path] = option  # devices may serve many


def _real(name: str) -> str:
    try:
        return os.path.realpath(name)
    except (OSError, ValueError):
        return name  # who opens it says what is wrong

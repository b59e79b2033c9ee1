"""Checks of what the user gave to `ask`: misspelt commands, and options that exclude each other."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.chat import setup
from llmcli.chat.prompt import content, reading
from llmcli.config.options import AskOptions
from llmcli.config.settings import Settings
from llmcli.errors import UsageError
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.chat.sessions.history import Session


def check_words(environment: Environment, words: Sequence[str], *, alone: bool) -> str:
    """Return the prompt that `words` make.

    `alone` is True for a single word that could be a mistyped command: it is a prompt only with
    text on stdin, whose beginning is waited for. Raises UsageError where there is none, and for a
    prompt of white space and for `-` beside other words; BadRequest for words that are not UTF-8.
    """
    text = reading.words(words)
    if words and not text.strip():
        raise UsageError("empty prompt; nothing sent")
    if len(words) > 1 and "-" in (words[0], words[-1]):
        hint = "to put stdin into a PROMPT, write {stdin}"
        raise UsageError("`-` cannot be combined with other words", hint=hint)
    if alone and not (content.has_stdin(environment) and reading.stdin_begins(environment)):
        from llmcli.cli.habits import foreign_command  # noqa: PLC0415  # for a refused word only

        leads_on = foreign_command(text)
        ask = f"to ask the model, put `ask` first: `llmcli ask {text}`"
        hint = f"{leads_on}; {ask}" if leads_on else ask
        raise UsageError(f"no such command: {text}", hint=hint)
    return text


def check_given(environment: Environment, options: AskOptions, text: str) -> None:
    """Raise UsageError for options that exclude each other, or where there is nothing to ask.

    There is nothing to ask without a prompt (`text`), a file, a template, messages or results of
    tools, if stdin cannot be read either.
    """
    given, talk = options.prompt, options.conversation
    if talk.session is not None and talk.go_on:
        raise UsageError("--session and --continue exclude each other")
    setup.check_variables(given)
    nothing = not (text or given.file or given.template or talk.messages or talk.tool_result)
    if nothing and (given.no_stdin or not content.has_stdin(environment)):
        stdin = "" if given.no_stdin else ", or pipe text in, or `-` to type it"
        raise UsageError("no prompt", hint=f'llmcli "your question"{stdin}; see llmcli --help')


def check_choices(options: AskOptions, settings: Settings) -> None:
    """Raise UsageError if several choices are asked for where only one answer has a place."""
    output, talk = options.output, options.conversation
    given = {
        "--session or -c": talk.session is not None or talk.go_on,
        "--save-messages": talk.save_messages is not None,
        "--run-tools": options.tools.run_tools,
    }
    asked = [name for name, is_given in given.items() if is_given]
    as_text = not (output.json or output.events)
    setup.check_number_of_choices(settings, options.shape, asked, as_text=as_text)


def check_files(options: AskOptions, session: "Session | None") -> None:
    """Raise UsageError where two options would write the same file."""
    files = {
        "-O": options.output.output,
        "--usage-file": options.output.usage_file,
        "--save-messages": options.conversation.save_messages,
        "--session": str(session.path) if session else None,
    }
    option_of: dict[str, str] = {}
    for option, name in files.items():
        path = _real_path(name) if name else ""
        if path in option_of:
            raise UsageError(f"{option_of[path]} and {option} name the same file")
        # A device or a pipe, such as /dev/stderr, can take the output of several options.
        if name and not (os.path.exists(path) and not os.path.isfile(path)):
            option_of[path] = option


def _real_path(name: str) -> str:
    try:
        return os.path.realpath(name)
    except (OSError, ValueError):
        return name  # opening the file fails as well, with a message that says why

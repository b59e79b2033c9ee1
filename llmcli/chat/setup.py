"""From the options to the request body: what was given, checked, read and put together."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmcli.api import request
from llmcli.chat.prompt import reading
from llmcli.config import file, url
from llmcli.config import headers as header_rules
from llmcli.config.options import (
    AccountOptions,
    ConnectionOptions,
    ConversationOptions,
    OutputOptions,
    PromptOptions,
    SamplingOptions,
)
from llmcli.config.settings import DEFAULT_BASE_URL, Settings, check_ranges
from llmcli.errors import ConfigError, UsageError
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment
from llmcli.system.text import check_text

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template
    from llmcli.chat.sessions.history import Session

# An answer in one piece is silence until it is complete.
_WHOLE_ANSWER_TIMEOUT = 300.0


def check_words(words: Sequence[str], implicit: bool, commands: Sequence[str]) -> str:
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
        if words[0] in commands:
            raise UsageError(f"{words[0]} is a command: put it before its options", hint=hint)
        if len(words) == 1 and text != "-" and not any(c.isspace() for c in text):
            raise UsageError(f"no such command: {text}", hint=hint)
    return text


def check_given(
    environment: Environment, given: PromptOptions, talk: ConversationOptions, text: str
) -> None:
    """Raises UsageError for options that exclude each other, and, with a short help, where there
    is nothing to read either."""
    if talk.session is not None and talk.go_on:
        raise UsageError("--session and --continue exclude each other")
    if given.param and not given.template:
        raise UsageError("-p gives a template's variable; name the template with -t")
    nothing = not (text or given.file or given.template or talk.messages or talk.tool_result)
    if nothing and (given.no_stdin or reading.nothing_given(environment)):
        hint = 'llmcli "your question", or pipe text in, or `-` to type it; see llmcli --help'
        raise UsageError("no prompt", hint=hint)


def flags(sampling: SamplingOptions, connecting: ConnectionOptions) -> dict[str, Any]:
    """The settings that the command line gave; None where it did not. Raises UsageError."""
    given = {
        "model": sampling.model,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "top_p": sampling.top_p,
        "stop": sampling.stop or None,
        "seed": sampling.seed,
        "reasoning": sampling.reasoning,
        "options": request.parse_extra(sampling.option or []) or None,
        "base_url": connecting.base_url,
        "headers": _headers(connecting.header or []) or None,
        "connect_timeout": connecting.connect_timeout,
        "idle_timeout": connecting.idle_timeout,
        "deadline": connecting.deadline,
        "retries": connecting.retries,
    }
    for name, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                check_text(item, f"--{name.replace('_', '-')}")
    return given


def _headers(pairs: Sequence[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--header {name!r} is not NAME=VALUE")
        headers[name] = value
    try:
        header_rules.check(headers)
    except ConfigError as error:
        raise UsageError(f"--header: {error.message}") from None
    return headers


def check_files(options: OutputOptions, talk: ConversationOptions, kept: "Session | None") -> None:
    """Raises UsageError where two options would write the same file."""
    named = {
        "-O": options.output,
        "--usage-file": options.usage_file,
        "--save-messages": talk.save_messages,
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


def template(environment: Environment, given: PromptOptions) -> "Template | None":
    if given.template is None:
        return None
    from llmcli.chat.prompt import templates

    return templates.load(environment, given.template)


def session(environment: Environment, talk: ConversationOptions) -> "Session | None":
    if talk.session is None and not talk.go_on:
        return None
    from llmcli.chat.sessions import last, store

    if talk.go_on:
        name, of_terminal = last.name(environment)
        if not of_terminal:
            environment.note(f"going on with session {name}, the last of all")
        return store.load(environment, name, must_exist=True)
    assert talk.session is not None
    return store.load(environment, talk.session)


def settings(
    environment: Environment,
    sampling: SamplingOptions,
    connecting: ConnectionOptions,
    account: AccountOptions,
    named: "Template | None",
    going_on: "Session | None" = None,
    of_run: bool = True,
) -> Settings:
    """Resolved, and the deadline started, if it is that of the run. Raises UsageError,
    ConfigError."""
    given = flags(sampling, connecting) | {"tag": _tag(account.tag)}
    check_ranges(given, dict.fromkeys(given, "flag"))
    if of_run:  # holds for reading the config as well
        environment.start_deadline(given["deadline"] or 0)
    layer = named.settings if named else None
    resolved = file.resolve(environment, given, connecting.profile, layer)
    request.check_reasoning(resolved.reasoning)
    if sampling.no_stream and resolved.source("idle_timeout") == "default":
        resolved = replace(resolved, idle_timeout=_WHOLE_ANSWER_TIMEOUT)
    if of_run:
        environment.start_deadline(resolved.deadline)
    return _with_model_of(going_on, resolved) if going_on else resolved


def _tag(tag: str | None) -> str | None:
    if tag is not None and not (tag.strip() and tag.isprintable()):
        raise UsageError(f"--tag {tag!r} is no name")
    return None if tag is None else check_text(tag, "--tag")


def allows_cut(asked: bool, in_text: bool, settings: Settings) -> bool:
    """Text that was to be short may be cut; of an answer with a shape a part is of no use."""
    return asked or (in_text and settings.source("max_tokens") == "flag")


def tell_of_another_model(environment: Environment, going_on: "Session", model: str) -> None:
    """A conversation that goes on with another model than before says so."""
    before = going_on.last("model")
    if before not in (None, model):
        environment.note(f"session {going_on.name} was with {before}, and goes on with {model}")


def _with_model_of(going_on: "Session", resolved: Settings) -> Settings:
    """A conversation goes on with its model, unless another is named or the endpoint is another."""
    model = going_on.last("model")
    if model is None or resolved.source("model") in ("flag", "template"):
        return resolved
    endpoint = going_on.last("endpoint")
    if endpoint is None:
        same = resolved.model is None and resolved.base_url is None
    else:
        same = endpoint == url.check(resolved.base_url or DEFAULT_BASE_URL)
    sources = {**resolved.sources, "model": f"session {going_on.name}"}
    return replace(resolved, model=model, sources=sources) if same else resolved

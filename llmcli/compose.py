"""From the options to the request body: what was given, checked, read and put together."""

from collections.abc import Sequence
from typing import Any

from . import headers as header_rules
from . import messages, prompt, request
from .config import Settings
from .environment import Environment
from .errors import ConfigError, UsageError
from .options import ConnectionOptions, PromptOptions, SamplingOptions
from .schema import ChatRequest, Message


def check_words(words: Sequence[str], implicit: bool, commands: Sequence[str]) -> str:
    """The prompt in `words`. A typo must not cost money: raises UsageError for what looks like
    one where `ask` was not written (`implicit`)."""
    text = prompt.words(words)
    if words and not text.strip():
        raise UsageError("empty prompt; nothing sent")
    if len(words) > 1 and "-" in (words[0], words[-1]):
        raise UsageError("`-` stands alone", hint="to put stdin into a PROMPT, write {stdin}")
    if implicit and words:
        dashes = "-- " if text.startswith("-") else ""
        hint = f"to ask the model, `llmcli ask {dashes}{text}`"
        if words[0] in commands:
            raise UsageError(f"{words[0]} is a command: put it before its options", hint=hint)
        if len(words) == 1 and text != "-" and not any(c.isspace() for c in text):
            raise UsageError(f"no such command: {text}", hint=hint)
    return text


def check_given(environment: Environment, given: PromptOptions, text: str) -> None:
    """Raises UsageError, with a short help, where there is nothing to read either."""
    nothing = not text and not given.file and not given.messages
    if nothing and (given.no_stdin or prompt.nothing_given(environment)):
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
                prompt.check_text(item, f"--{name.replace('_', '-')}")
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


def body(
    environment: Environment,
    settings: Settings,
    given: PromptOptions,
    text: str,
    model: str,
    stream: bool,
) -> ChatRequest:
    """Reads stdin and files. Raises UsageError, NoInput, BadRequest."""
    source = prompt.Input(environment, prompt.size(given.max_input), use_stdin=not given.no_stdin)
    history: list[Message] = []
    if given.messages:
        name = "stdin" if given.messages == "-" else given.messages
        history = messages.parse(prompt.text(source.file(given.messages), name), name)
    system = _system(source, settings, given, history)
    content = prompt.content(source, text, given.file or [], other=bool(history))
    return request.build(
        model,
        messages.assemble(system, history, content),
        stream=stream,
        max_tokens=settings.max_tokens,
        reasoning=settings.reasoning,
        fields={
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop": settings.stop,
            "seed": settings.seed,
        },
        extra=settings.options,
    )


def _system(
    source: prompt.Input, settings: Settings, given: PromptOptions, history: Sequence[Message]
) -> str | None:
    if given.system is not None:
        if messages.has_system(history):
            raise UsageError("--messages already has a system message", hint="drop -s")
        return source.text_of(given.system, "-s")
    if settings.system and not messages.has_system(history):
        return source.text_of(settings.system, "system")
    return None

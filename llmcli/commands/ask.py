"""One completion, streamed to stdout."""

import json
from collections.abc import Sequence
from dataclasses import replace

from typer import Context

from .. import catalogue, config, connection, messages, prompt, request
from ..call import Call, complete
from ..config import Settings
from ..connection import Connection
from ..environment import STDOUT, Environment, write_all
from ..errors import UsageError
from ..options import (
    ConnectionOptions,
    OutputOptions,
    PromptOptions,
    SamplingOptions,
    Words,
    grouped,
)
from ..output import curl
from ..output.choose import Output
from ..retry import Policy, retrying
from ..schema import ChatRequest, Message
from ..trace import Trace

# An answer in one piece is silence until it is complete.
_WHOLE_ANSWER_TIMEOUT = 300.0


@grouped
def ask(
    context: Context,
    given: PromptOptions,
    sampling: SamplingOptions,
    connecting: ConnectionOptions,
    options: OutputOptions,
    words: Words = None,
) -> None:
    """One completion, streamed to stdout. This is the default command.

    stdin comes first, then a blank line, then PROMPT; {stdin} in PROMPT puts it elsewhere.

    \b
    Examples:
      llmcli "Name three uses of a brick"
      git log --oneline | llmcli "What changed?"
      llmcli ask -s "Answer in French" "Good morning"
      llmcli ask -f notes.txt -f photo.jpg "Do these agree?"
      llmcli ask --json hi | jq -e .llmcli.ok
      0 7 * * *  llmcli -q -n -O ~/quote.txt "A quote for today"
    """
    environment: Environment = context.obj.environment
    environment.quiet = options.quiet
    trace = Trace(started=environment.started)
    if options.verbose:
        trace.log = environment.say
    trace.stage = lambda stage: setattr(environment, "stage", stage)
    call = Call(trace, redact=environment.redact)
    output = Output(environment, options, call, hold=sampling.no_stream)
    environment.renderer = output

    prompt_text = prompt.words(words or [])
    _check(environment, context.obj.implicit, words or [], prompt_text, given)
    settings = config.resolve(environment, _flags(sampling, connecting), connecting.profile)
    if sampling.no_stream and settings.source("idle_timeout") == "default":
        settings = replace(settings, idle_timeout=_WHOLE_ANSWER_TIMEOUT)
    environment.start_deadline(settings.deadline)
    chosen = connection.choose(environment, settings)
    call.model, call.local = chosen.model, chosen.local is not None
    call.known_models = lambda: catalogue.known(environment, chosen.base_url or "")
    only_shown = options.dry_run or options.curl
    if not only_shown:
        output.open()
        stream = connection.open_stream(environment, settings, chosen, trace)
    body = _body(environment, settings, given, prompt_text, chosen.model, not sampling.no_stream)
    if only_shown:
        write_all(STDOUT, _shown(body, settings, chosen, options).encode())
        return
    allow_cut = options.allow_cut or (
        sampling.max_tokens is not None and not (options.json or options.events)
    )
    completion = retrying(
        lambda: complete(stream, body, call, output.show, allow_cut),
        output,
        Policy(settings.retries, environment.remaining),
        trace,
    )
    output.finish(completion)


def _check(
    environment: Environment,
    implicit: bool,
    words: Sequence[str],
    text: str,
    given: PromptOptions,
) -> None:
    """What is no prompt costs nothing: found before anything is read or opened."""
    if implicit and len(words) == 1 and words[0] != "-" and not any(c.isspace() for c in text):
        raise UsageError(f"no such command: {text}", hint=f"to ask the model, `llmcli ask {text}`")
    nothing = not words and not given.file and not given.messages
    if nothing and (given.no_stdin or prompt.nothing_given(environment)):
        hint = 'llmcli "your question", or pipe text in, or `-` to type it; see llmcli --help'
        raise UsageError("no prompt", hint=hint)
    if words and not text.strip():
        raise UsageError("empty prompt; nothing sent")


def _flags(sampling: SamplingOptions, connecting: ConnectionOptions) -> dict[str, object]:
    """The settings that the command line gave."""
    headers = {}
    for pair in connecting.header or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--header {name!r} is not NAME=VALUE")
        headers[name] = value
    return {
        "model": sampling.model,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "top_p": sampling.top_p,
        "stop": sampling.stop,
        "seed": sampling.seed,
        "reasoning": sampling.reasoning,
        "options": request.parse_extra(sampling.option or []) or None,
        "base_url": connecting.base_url,
        "headers": headers or None,
        "connect_timeout": connecting.connect_timeout,
        "idle_timeout": connecting.idle_timeout,
        "deadline": connecting.deadline,
        "retries": connecting.retries,
    }


def _body(
    environment: Environment,
    settings: Settings,
    given: PromptOptions,
    text: str,
    model: str,
    stream: bool,
) -> ChatRequest:
    source = prompt.Input(environment, prompt.size(given.max_input), use_stdin=not given.no_stdin)
    history: list[Message] = []
    if given.messages:
        history = messages.parse(
            prompt.text(source.file(given.messages), given.messages), given.messages
        )
    system = None
    if given.system is not None:
        if messages.has_system(history):
            raise UsageError("--messages already has a system message", hint="drop -s")
        system = source.text_of(given.system, "-s")
    elif settings.system and not messages.has_system(history):
        system = source.text_of(settings.system, "system")
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


def _shown(
    body: ChatRequest, settings: Settings, chosen: Connection, options: OutputOptions
) -> str:
    if not options.curl:
        return json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    if chosen.base_url is None:
        raise UsageError("--curl needs an endpoint; the embedded model has none")
    return curl.command(
        body, f"{chosen.base_url}/chat/completions", connection.headers_of(settings)
    )

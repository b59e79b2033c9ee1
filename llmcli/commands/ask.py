"""One completion, streamed to stdout."""

from dataclasses import replace

from typer import Context

from .. import catalogue, compose, config, connection, request
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
from ..schema import ChatRequest
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

    Files come first, then stdin, a blank line and PROMPT; {stdin} in PROMPT puts it elsewhere.

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
    trace.stage, trace.redact = environment.at, environment.redact
    call = Call(trace, redact=environment.redact)
    output = Output(environment, options, call, hold=sampling.no_stream)
    environment.renderer = output

    text = compose.check_words(words or [], context.obj.implicit, context.obj.commands)
    compose.check_given(environment, given, text)
    settings = _settings(environment, sampling, connecting)
    chosen = connection.choose(environment, settings)
    call.model, call.local = chosen.model, chosen.local is not None
    call.known_models = lambda: catalogue.known(environment, chosen.base_url or "")
    only_shown = options.dry_run or options.curl
    if not only_shown:
        output.open()
        stream = connection.open_stream(environment, settings, chosen, trace)
    body = compose.body(
        environment, settings, given, text, chosen.model, stream=not sampling.no_stream
    )
    if only_shown:
        write_all(STDOUT, _shown(body, settings, chosen, options.curl))
        return
    in_text = not (options.json or options.events)
    allow_cut = options.allow_cut or (sampling.max_tokens is not None and in_text)
    completion = retrying(
        lambda: complete(stream, body, call, output.show, allow_cut),
        output,
        Policy(settings.retries, environment.remaining),
        trace,
    )
    output.finish(completion)


def _settings(
    environment: Environment, sampling: SamplingOptions, connecting: ConnectionOptions
) -> Settings:
    """Resolved, and the deadline started."""
    flags = compose.flags(sampling, connecting)
    config.check_ranges(flags, dict.fromkeys(flags, "flag"))
    environment.start_deadline(flags["deadline"] or 0)  # holds for reading the config as well
    settings = config.resolve(environment, flags, connecting.profile)
    if sampling.no_stream and settings.source("idle_timeout") == "default":
        settings = replace(settings, idle_timeout=_WHOLE_ANSWER_TIMEOUT)
    environment.start_deadline(settings.deadline)
    return settings


def _shown(body: ChatRequest, settings: Settings, chosen: Connection, as_curl: bool) -> bytes:
    if not as_curl:
        return request.encode(body, indent=2) + b"\n"
    if chosen.base_url is None:
        raise UsageError("--curl needs an endpoint; the embedded model has none")
    url = f"{chosen.base_url}/chat/completions"
    return curl.command(body, url, connection.headers_of(settings, chosen.base_url))

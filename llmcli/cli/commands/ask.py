"""One completion, streamed to stdout."""

from llmcli.api import request
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.chat import setup
from llmcli.chat.call import Call
from llmcli.chat.draft import Wishes, draft
from llmcli.chat.pipeline import Exchange
from llmcli.chat.presenter import Output
from llmcli.chat.response_format import instructed
from llmcli.chat.sessions.recorder import Recorder
from llmcli.cli import checks
from llmcli.cli.run import Run
from llmcli.config import model_cache
from llmcli.config.options import (
    AccountOptions,
    ConnectionOptions,
    ConversationOptions,
    OutputOptions,
    PromptOptions,
    SamplingOptions,
    ShapeOptions,
    ToolOptions,
    Words,
)
from llmcli.config.settings import Settings
from llmcli.errors import UsageError
from llmcli.output.json import escaped
from llmcli.spending import account as accounts
from llmcli.spending.account import Purpose
from llmcli.spending.meter import Meter
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, write_all


def ask(
    run: Run,
    given: PromptOptions,
    talk: ConversationOptions,
    tools: ToolOptions,
    shape: ShapeOptions,
    sampling: SamplingOptions,
    connecting: ConnectionOptions,
    account: AccountOptions,
    options: OutputOptions,
    words: Words = None,
) -> int:
    """One completion, streamed to stdout. This is the default command.

    Files come first, then stdin, a blank line and PROMPT; {stdin} in PROMPT puts it elsewhere.

    \b
    Examples:
      llmcli "Name three uses of a brick"
      git log --oneline | llmcli "What changed?"
      llmcli ask -s "Answer in French" "Good morning"
      llmcli ask -f notes.txt -f photo.jpg "Do these agree?"
      llmcli ask --json hi | jq -e .llmcli.ok
      llmcli ask --session trip "Where to in May?"; llmcli ask -c "And in June?"
      if llmcli ask -q --yes-no "Is this spam?" < mail > /dev/null; then echo spam; fi
      0 7 * * *  llmcli -q -n -O ~/quote.txt "A quote for today"
    """
    environment: Environment = run.environment
    environment.quiet = options.quiet
    trace = Trace(started=environment.started)
    if options.verbose:
        trace.log = environment.say
    trace.stage, trace.redact = environment.at, environment.redact
    trace.apart = options.events
    call = Call(trace, redact=environment.redact)
    shaped = shape.schema is not None or shape.extract or shape.yes_no
    output = Output(environment, options, call, hold=sampling.no_stream, shaped=shaped)
    environment.renderer = output

    text = checks.check_words(words or [], run.implicit, run.commands)
    checks.check_given(environment, given, talk, text)
    template = setup.template(environment, given)
    filled = template.fill(given.param or [], text) if template else None
    session = setup.session(environment, talk)
    settings = setup.settings(environment, sampling, connecting, account, template, session)
    chosen = connect.choose(environment, settings)
    call.model, call.bill.local = chosen.model, chosen.local is not None
    if session:
        call.session = session.name
        setup.tell_of_another_model(environment, session, chosen.model)
    call.known_models = lambda: model_cache.known(environment, chosen.base_url or "")
    payer = accounts.account(
        environment, settings, account, Purpose("ask", chosen.model, chosen.base_url, call.session)
    )
    call.bill.price, call.tag = payer.price, settings.tag
    meter = Meter(payer, call.bill, trace)
    recorder = Recorder(environment, call, session, talk.save_messages, chosen.base_url)
    checks.check_files(options, talk, session)
    only_shown = options.dry_run or options.curl
    if not only_shown:
        output.open()
        stream = connect.open_backend(environment, settings, chosen)(trace)
    wishes = Wishes(given, talk, tools, shape, text, filled, session)
    drafted = draft(environment, settings, wishes, chosen.model, stream=not sampling.no_stream)
    if only_shown:
        body = instructed(drafted.request, drafted.shape)
        write_all(STDOUT, _shown(body, settings, chosen, options.curl))
        return 0

    exchange = Exchange(environment, call, output, recorder, meter, stream)
    return exchange.run(drafted, tools, shape, options, settings)


def _shown(body: ChatRequest, settings: Settings, chosen: Connection, as_curl: bool) -> bytes:
    if not as_curl:
        return escaped(request.encode(body, indent=2).decode()).encode() + b"\n"
    if chosen.base_url is None:
        raise UsageError("--curl needs an endpoint; the embedded model has none")
    from llmcli.output import curl

    url = f"{chosen.base_url}/chat/completions"
    return curl.command(body, url, connect.headers_of(settings, chosen.base_url))

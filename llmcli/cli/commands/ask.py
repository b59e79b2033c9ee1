"""The command `ask`: one completion, streamed to stdout."""

from llmcli.api import request
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.chat import setup
from llmcli.chat.call import Call
from llmcli.chat.draft import Draft, draft
from llmcli.chat.pipeline import Exchange
from llmcli.chat.presenter import Output
from llmcli.chat.prompt.content import Filled
from llmcli.chat.response_format import instructed
from llmcli.chat.sessions.recorder import Recorder
from llmcli.cli import checks
from llmcli.config import keys, model_cache, url
from llmcli.config.options import AskOptions, Words
from llmcli.config.settings import Settings
from llmcli.errors import UsageError
from llmcli.output.json import escaped
from llmcli.spending.account import Account, Purpose, account
from llmcli.spending.meter import Meter
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, write_all


def ask(
    environment: Environment, options: AskOptions, words: Words = None, *, alone: bool = False
) -> int:
    """Stream one completion to stdout. This is the default command.

    The model gets files first, then stdin, a blank line and PROMPT. {stdin} in PROMPT is replaced
    by stdin.

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
    environment.quiet = options.output.quiet
    trace = _trace(environment, options)
    call = Call(trace, redact=environment.redact)
    # Before anything can fail: from now on failures are reported in the form of --json or --events.
    environment.renderer = output = Output(environment, options, call)

    text = checks.check_words(environment, words or [], alone=alone)
    checks.check_given(environment, options, text)
    template = setup.template(environment, options.prompt)
    filled = Filled.of(text)
    if template:
        filled = template.fill(options.prompt.param or [], filled.prompt)
    session = setup.session(environment, options.conversation)
    settings = setup.settings(environment, options, template, session)
    checks.check_choices(options, settings)
    chosen = connect.choose(environment, settings)
    call.model, call.provider = chosen.model, chosen.provider
    if session:
        call.session = session.name
        setup.tell_of_another_model(environment, session, chosen.model)
    payer = _payer(environment, options, settings, chosen, call)
    checks.check_files(options, session)
    if options.output.dry_run or options.output.curl:
        drafted = draft(environment, settings, options, filled, session, chosen.model)
        shown = _shown(environment, drafted, settings, chosen, as_curl=options.output.curl)
        write_all(STDOUT, shown)
        return 0

    # What can fail at once does so before stdin is read, which may take long: the file of -O, that
    # of the session, and the backend.
    output.open()
    recorder = Recorder(
        environment, call, session, options.conversation.save_messages,
        chosen.base_url and url.filed(chosen.base_url),
    )  # fmt: skip
    stream = connect.open_backend(environment, settings, chosen)(trace)
    drafted = draft(environment, settings, options, filled, session, chosen.model)
    exchange = Exchange(environment, call, output, recorder, Meter(payer, call.bill, trace), stream)
    return exchange.run(drafted, options, settings)


def _trace(environment: Environment, options: AskOptions) -> Trace:
    """Return the trace of a run: it tells `environment` the stage of the run, and logs for -v."""
    trace = Trace(started=environment.started)
    if options.output.verbose:
        trace.log = environment.say
    trace.stage, trace.redact = environment.set_stage, environment.redact
    trace.one_by_one = options.output.events
    return trace


def _payer(
    environment: Environment,
    options: AskOptions,
    settings: Settings,
    chosen: Connection,
    call: Call,
) -> Account:
    """Return the account that pays for the run, and complete `call` with its price and tag."""
    base_url = chosen.base_url
    purpose = Purpose("ask", chosen.model, base_url, call.session)
    payer = account(environment, settings, options.account, purpose)
    call.bill.price, call.bill.local = payer.price, base_url is None
    call.tag = settings.tag
    call.known_models = lambda: model_cache.known_ids(environment, base_url or "")
    return payer


def _shown(
    environment: Environment,
    drafted: Draft,
    settings: Settings,
    chosen: Connection,
    *,
    as_curl: bool,
) -> bytes:
    """Return what --dry-run prints of a request, or --curl if `as_curl`.

    Raises UsageError where a curl command is wanted for the embedded model, and ConfigError for a
    header that is not valid.
    """
    body: ChatRequest = instructed(drafted.request, drafted.shape)
    if not as_curl:
        return escaped(request.encode(body, indent=2).decode()).encode() + b"\n"
    if chosen.base_url is None:
        hint = "name a server by --base-url, or set the key of a provider; see `llmcli help keys`"
        raise UsageError("--curl needs an endpoint, and the embedded model has none", hint=hint)
    from llmcli.output import curl  # noqa: PLC0415  # loaded for --curl only

    return curl.command(
        body,
        url.without_secrets(url.join(chosen.base_url, "/chat/completions")),
        connect.headers_of(settings, chosen.base_url),
        key_variable=keys.shell_variable(environment, settings, chosen.base_url),
        key_header=connect.key_header(settings, chosen.base_url),
    )

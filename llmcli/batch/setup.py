"""From the options of `map` to a run over its records."""

import os
from typing import TYPE_CHECKING

from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.batch.dry_run import forecast
from llmcli.batch.input.open import Records, open_input
from llmcli.batch.ordered_map import threads
from llmcli.batch.plan import Plan
from llmcli.batch.results.formats import BatchForm, Form, JsonForm, TextForm
from llmcli.batch.results.store import Results, is_regular, is_there, remaining
from llmcli.batch.results.summary import Tally
from llmcli.batch.run import Bar, Run, Workers
from llmcli.batch.spec import Caps, Work, answerer
from llmcli.batch.worker import How
from llmcli.chat import draft, setup
from llmcli.chat.conversation import Limits
from llmcli.chat.prompt import content, reading
from llmcli.config.map_options import MapOptions
from llmcli.config.settings import Settings
from llmcli.errors import NoInput, UsageError
from llmcli.output.sink import Sink, open_sink
from llmcli.spending import account as accounts
from llmcli.spending.account import Purpose
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR, STDOUT

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template

# Answers that may wait for an earlier one, for each that is asked at once.
_WINDOW = 64
_SLOWEST, _FASTEST = 0.01, 1e6
# Of a batch file, whose requests name their own.
_OWN_MODEL = "the model of each request"


def run_map(environment: Environment, options: MapOptions, words: str | None) -> None:
    """Raises what stopped it; SomeFailed where records failed."""
    _check(options, words)
    template = setup.template(environment, options.prompt)
    settings = _settings(environment, options, template)
    chosen = connect.choose(environment, settings)
    asked = reading.words([] if words in (None, "-") else [words])
    plan = _plan(environment, options, settings, chosen, template, asked)
    source = open_input(
        environment, options.input, plan, options.prompt.max_input, not options.prompt.no_stdin
    )
    form = _form(options)
    tasks = plan.tasks(source.records, options.of_batch)
    results = _results(environment, options, form)
    if results:
        tasks = remaining(tasks, results, options.results.retry_failed)
    if options.results.dry_run:
        purpose = Purpose("map", chosen.model, chosen.base_url)
        payer = accounts.account(environment, settings, options.account, purpose)
        forecast(tasks, payer, chosen, results, options.results.json)
        return
    work = _work(options, settings, chosen, plan)
    _run(environment, options, work, form, results, source).run(tasks)


def _check(options: MapOptions, words: str | None) -> None:
    """Raises UsageError."""
    kept, given = options.results, options.prompt
    if kept.resume and kept.retry_failed:
        raise UsageError("--resume and --retry-failed exclude each other")
    if (kept.resume or kept.retry_failed) and kept.output in (None, "-"):
        raise UsageError("--resume and --retry-failed go on with the FILE of -O")
    rpm = options.pace.rpm
    if rpm is not None and not _SLOWEST <= rpm <= _FASTEST:
        raise UsageError(f"--rpm cannot be {rpm:g}", hint=f"{_SLOWEST:g} to {_FASTEST:g}")
    if given.file and "-" in given.file:
        raise UsageError("-f - is stdin, which holds the records")
    if options.tools.approve:
        raise UsageError("--approve asks at a terminal, one at a time: it goes with ask")
    if given.param and not given.template:
        raise UsageError("-p gives a template's variable; name the template with -t")
    if options.input.files and words and os.path.exists(words):
        hint = "quote the pattern, as in --files 'src/*.py'"
        raise UsageError(f"--files takes one pattern, and PROMPT is the file {words}", hint=hint)
    if options.of_batch and (words or given.file or given.system or given.template):
        raise UsageError("--requests holds whole requests: no PROMPT, -f, -s or -t beside it")


def _settings(
    environment: Environment, options: MapOptions, template: "Template | None"
) -> Settings:
    settings = setup.settings(environment, options, template)
    if options.of_batch and not settings.model:
        return replace(settings, model=_OWN_MODEL)
    return settings


def _plan(
    environment: Environment,
    options: MapOptions,
    settings: Settings,
    chosen: Connection,
    template: "Template | None",
    prompt: str,
) -> Plan:
    given = options.prompt
    files = reading.Input(environment, reading.size(given.max_input), use_stdin=False)
    system = given.system
    if system is None and not (template and template.system):
        system = settings.system
    return Plan(
        settings,
        None if chosen.model == _OWN_MODEL else chosen.model,
        not options.sampling.no_stream,
        prompt,
        None if system is None else files.text_of(system, "-s"),
        content.attachments(files, given.file or []),
        template,
        given.param or [],
        draft.toolbox_of(files, options.tools),
        draft.shape_of(files, options.shape),
    )


def _work(options: MapOptions, settings: Settings, chosen: Connection, plan: Plan) -> Work:
    in_text = not (options.results.json or options.of_batch or plan.shape)
    how = How(
        model=chosen.model,
        local=chosen.local is not None,
        tag=settings.tag,
        deadline=settings.deadline,
        retries=settings.retries,
        limits=Limits(options.tools.max_turns, options.shape.repair),
        shape=plan.shape,
        allow_cut=setup.allows_cut(options.results.allow_cut, in_text, settings),
        check_calls=not options.tools.run_tools,
        verbose=options.results.verbose,
    )
    caps = Caps(options.pace.jobs, options.pace.rpm, options.pace.tpm)
    strict = options.tools.strict_tools
    return Work(settings, options.account, chosen, how, plan.toolbox, strict, caps)


def _form(options: MapOptions) -> Form:
    if options.of_batch:
        return BatchForm()
    if options.results.json:
        return JsonForm()
    return TextForm(ordered=not options.results.unordered)


def _results(environment: Environment, options: MapOptions, form: Form) -> Results | None:
    """The file of -O, unless it is a device. A dry run makes none."""
    kept = options.results
    name, go_on = kept.output, kept.resume or kept.retry_failed
    if name in (None, "-"):
        return None
    if not is_regular(name):
        if go_on:
            raise UsageError(f"{name} keeps no results to go on with")
        return None
    if kept.retry_failed and not is_there(name):
        raise NoInput(f"{name} has no results to try again", hint="begin with --resume")
    if kept.dry_run and not (go_on and is_there(name)):
        return None
    return Results(environment, name, go_on, not kept.unordered, form)


def _run(
    environment: Environment,
    options: MapOptions,
    work: Work,
    form: Form,
    results: Results | None,
    source: Records,
) -> Run:
    workers = _workers(environment, options, work)
    ordered = not (options.results.unordered or results)
    sink = None if results else open_sink(environment, options.results.output)
    tally = Tally(results.said if results else str)
    bar = _bar(environment, options, tally, source, sink)
    window = workers.width * _WINDOW if ordered else None
    return Run(environment, workers, window, form, sink, results, tally, bar)


def _workers(environment: Environment, options: MapOptions, work: Work) -> Workers:
    if options.pace.cluster is not None:
        from llmcli.batch import dask

        return dask.workers(work, options.pace.cluster)
    own = answerer(environment, work)
    width = work.caps.workers
    return Workers(own, own.stop, threads(width), width, abandon=own.abandon, finish=own.finish)


def _bar(
    environment: Environment, options: MapOptions, tally: Tally, source: Records, sink: Sink | None
) -> Bar | None:
    """None where nobody looks, or where it would stand among the answers."""
    if options.results.quiet or not environment.is_terminal(STDERR):
        return None
    if sink is not None and sink.terminal and environment.is_terminal(STDOUT):
        return None
    from llmcli.batch.results.progress_bar import ProgressBar

    return ProgressBar(tally, source.part)

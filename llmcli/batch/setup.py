"""From the options of `map` to a run over its records."""

import os
from typing import TYPE_CHECKING

from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.batch.dry_run import forecast
from llmcli.batch.input.open import Input, open_input
from llmcli.batch.ordered_map import threads
from llmcli.batch.plan import Plan
from llmcli.batch.results.formats import BatchForm, Form, JsonForm, TextForm
from llmcli.batch.results.store import Results, is_regular, is_there, remaining
from llmcli.batch.results.summary import Tally
from llmcli.batch.run import Job, Shown, Workers
from llmcli.batch.spec import Caps, Work, answerer
from llmcli.batch.worker import How
from llmcli.chat import draft, setup
from llmcli.chat.conversation import Limits
from llmcli.chat.prompt import content, reading
from llmcli.config.map_options import InputOptions, PaceOptions, ResultOptions
from llmcli.config.options import (
    AccountOptions,
    ConnectionOptions,
    PromptOptions,
    SamplingOptions,
    ShapeOptions,
    ToolOptions,
)
from llmcli.config.settings import Settings
from llmcli.errors import NoInput, UsageError
from llmcli.output.sink import Sink, open_sink
from llmcli.spending import account as accounts
from llmcli.spending.account import Purpose
from llmcli.system.dataclass import dataclass, replace
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR, STDOUT

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template

# Answers that may wait for an earlier one, for each that is asked at once.
_WINDOW = 64
_SLOWEST, _FASTEST = 0.01, 1e6
# Of a batch file, whose requests name their own.
_OWN_MODEL = "the model of each request"


@dataclass(frozen=True)
class Wanted:
    """What the command line says."""

    given: PromptOptions
    source: InputOptions
    pace: PaceOptions
    options: ResultOptions
    tools: ToolOptions
    shape: ShapeOptions
    sampling: SamplingOptions
    connecting: ConnectionOptions
    account: AccountOptions
    words: str | None

    @property
    def of_batch(self) -> bool:
        return self.source.requests is not None


def run(environment: Environment, wanted: Wanted) -> None:
    """Raises what stopped it; SomeFailed where records failed."""
    _check(wanted)
    template = setup.template(environment, wanted.given)
    settings = _settings(environment, wanted, template)
    chosen = connect.choose(environment, settings)
    plan = _plan(environment, wanted, settings, chosen, template)
    source = open_input(
        environment, wanted.source, plan, wanted.given.max_input, not wanted.given.no_stdin
    )
    form = _form(wanted)
    tasks = plan.tasks(source.records, wanted.of_batch)
    results = _results(environment, wanted, form)
    if results:
        tasks = remaining(tasks, results, wanted.options.retry_failed)
    if wanted.options.dry_run:
        purpose = Purpose("map", chosen.model, chosen.base_url)
        payer = accounts.account(environment, settings, wanted.account, purpose)
        forecast(tasks, payer, chosen, results, wanted.options.json)
        return
    work = _work(wanted, settings, chosen, plan)
    _job(environment, wanted, work, form, results, source).run(tasks)


def _check(wanted: Wanted) -> None:
    """Raises UsageError."""
    options, given = wanted.options, wanted.given
    if options.resume and options.retry_failed:
        raise UsageError("--resume and --retry-failed exclude each other")
    if (options.resume or options.retry_failed) and options.output in (None, "-"):
        raise UsageError("--resume and --retry-failed go on with the FILE of -O")
    rpm = wanted.pace.rpm
    if rpm is not None and not _SLOWEST <= rpm <= _FASTEST:
        raise UsageError(f"--rpm cannot be {rpm:g}", hint=f"{_SLOWEST:g} to {_FASTEST:g}")
    if given.file and "-" in given.file:
        raise UsageError("-f - is stdin, which holds the records")
    if wanted.tools.approve:
        raise UsageError("--approve asks at a terminal, one at a time: it goes with ask")
    if given.param and not given.template:
        raise UsageError("-p gives a template's variable; name the template with -t")
    if wanted.source.files and wanted.words and os.path.exists(wanted.words):
        hint = "quote the pattern, as in --files 'src/*.py'"
        raise UsageError(
            f"--files takes one pattern, and PROMPT is the file {wanted.words}", hint=hint
        )
    if wanted.of_batch and (wanted.words or given.file or given.system or given.template):
        raise UsageError("--requests holds whole requests: no PROMPT, -f, -s or -t beside it")


def _settings(environment: Environment, wanted: Wanted, template: "Template | None") -> Settings:
    settings = setup.settings(
        environment, wanted.sampling, wanted.connecting, wanted.account, template, of_run=False
    )
    if wanted.of_batch and not settings.model:
        return replace(settings, model=_OWN_MODEL)
    return settings


def _plan(
    environment: Environment,
    wanted: Wanted,
    settings: Settings,
    chosen: Connection,
    template: "Template | None",
) -> Plan:
    given = wanted.given
    files = reading.Input(environment, reading.size(given.max_input), use_stdin=False)
    system = given.system
    if system is None and not (template and template.system):
        system = settings.system
    return Plan(
        settings,
        None if chosen.model == _OWN_MODEL else chosen.model,
        not wanted.sampling.no_stream,
        reading.words([] if wanted.words in (None, "-") else [wanted.words]),
        None if system is None else files.text_of(system, "-s"),
        content.attachments(files, given.file or []),
        template,
        given.param or [],
        draft.toolbox_of(files, wanted.tools),
        draft.shape_of(files, wanted.shape),
    )


def _work(wanted: Wanted, settings: Settings, chosen: Connection, plan: Plan) -> Work:
    in_text = not (wanted.options.json or wanted.of_batch or plan.shape)
    how = How(
        model=chosen.model,
        local=chosen.local is not None,
        tag=settings.tag,
        deadline=settings.deadline,
        retries=settings.retries,
        limits=Limits(wanted.tools.max_turns, wanted.shape.repair),
        shape=plan.shape,
        allow_cut=setup.allows_cut(wanted.options.allow_cut, in_text, settings),
        check_calls=not wanted.tools.run_tools,
        verbose=wanted.options.verbose,
    )
    caps = Caps(wanted.pace.jobs, wanted.pace.rpm, wanted.pace.tpm)
    strict = wanted.tools.strict_tools
    return Work(settings, wanted.account, chosen, how, plan.toolbox, strict, caps)


def _form(wanted: Wanted) -> Form:
    if wanted.of_batch:
        return BatchForm()
    if wanted.options.json:
        return JsonForm()
    return TextForm(ordered=not wanted.options.unordered)


def _results(environment: Environment, wanted: Wanted, form: Form) -> Results | None:
    """The file of -O, unless it is a device. A dry run makes none."""
    options = wanted.options
    name, go_on = options.output, options.resume or options.retry_failed
    if name in (None, "-"):
        return None
    if not is_regular(name):
        if go_on:
            raise UsageError(f"{name} keeps no results to go on with")
        return None
    if options.retry_failed and not is_there(name):
        raise NoInput(f"{name} has no results to try again", hint="begin with --resume")
    if options.dry_run and not (go_on and is_there(name)):
        return None
    ordered = not options.unordered
    return Results(environment, name, go_on, ordered, form)


def _job(
    environment: Environment,
    wanted: Wanted,
    work: Work,
    form: Form,
    results: Results | None,
    source: Input,
) -> Job:
    workers = _workers(environment, wanted, work)
    ordered = not (wanted.options.unordered or results)
    sink = None if results else open_sink(environment, wanted.options.output)
    tally = Tally(results.said if results else str)
    bar = _bar(environment, wanted, tally, source, sink)
    window = workers.width * _WINDOW if ordered else None
    return Job(environment, workers, window, form, sink, results, tally, bar)


def _workers(environment: Environment, wanted: Wanted, work: Work) -> Workers:
    if wanted.pace.cluster is not None:
        from llmcli.batch import dask

        return dask.workers(work, wanted.pace.cluster)
    own = answerer(environment, work)
    width = work.caps.workers
    return Workers(own, own.stop, threads(width), width, abandon=own.abandon, finish=own.finish)


def _bar(
    environment: Environment, wanted: Wanted, tally: Tally, source: Input, sink: Sink | None
) -> Shown | None:
    """None where nobody looks, or where it would stand among the answers."""
    if wanted.options.quiet or not environment.is_terminal(STDERR):
        return None
    if sink is not None and sink.terminal and environment.is_terminal(STDOUT):
        return None
    from llmcli.batch.results.progress_bar import ProgressBar

    return ProgressBar(tally, source.part)

"""From the options of `map` to a run over the records of its input."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.api.reply.judgement import Demands
from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.batch.dry_run import forecast
from llmcli.batch.input.open import Records, open_input
from llmcli.batch.ordered_map import threads
from llmcli.batch.plan import Plan
from llmcli.batch.results.formats import BatchForm, Form, JsonForm, TextForm
from llmcli.batch.results.remaining import remaining
from llmcli.batch.results.store import PROGRESS, Begin, Results, is_begun
from llmcli.batch.results.summary import Tally
from llmcli.batch.run import Bar, Run, Workers
from llmcli.batch.spec import Caps, Work, answerer
from llmcli.batch.task import Outcome, Task
from llmcli.batch.worker import RecordRules
from llmcli.chat import draft, setup
from llmcli.chat.conversation import Limits
from llmcli.chat.prompt import content, reading
from llmcli.config.map_options import MapOptions
from llmcli.config.settings import REASONING, Settings
from llmcli.errors import NoInput, UsageError
from llmcli.output.sink import Sink, is_regular, open_sink
from llmcli.spending import account as accounts
from llmcli.spending.account import Purpose
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR, STDOUT

if TYPE_CHECKING:
    from llmcli.batch.server.parts import Part
    from llmcli.chat.prompt.templates import Template

# Answers that may wait for an earlier one, for each worker. One slow answer should not keep the
# workers from the records after it; the memory for the answers that wait is the price.
_WINDOW = 64
# The least and the most requests a minute that --rpm may ask for.
_SLOWEST, _FASTEST = 0.01, 1e6
# Stands for the model of a batch file in the settings, if each of its requests must name one.
_OWN_MODEL = "the model of each request"


def run_map(environment: Environment, options: MapOptions, words: Sequence[str]) -> None:
    """Run `map` to its end; `words` are those of PROMPT.

    Raises UsageError for options that do not go together, what preparing the run raises, and what
    `Run.run` raises.
    """
    _check(options, words)
    parts: Sequence[Part] = ()
    if options.server.wanted or os.path.isfile(f"{options.results.output}{PROGRESS}"):
        from llmcli.batch.server.progress import parts_of  # noqa: PLC0415  # seldom needed

        parts = parts_of(options)
    if options.server.cancel:
        from llmcli.batch.server import cancel  # noqa: PLC0415  # for --cancel only

        settings = _with_any_model(setup.settings(environment, options, None))
        cancel.cancel(environment, options, settings)
        return
    template = setup.template(environment, options.prompt)
    settings = _settings(environment, options, template)
    in_text = not (options.results.json or options.of_batch)
    others = ["--run-tools"] if options.tools.run_tools else []
    setup.check_number_of_choices(settings, options.shape, others, as_text=in_text)
    chosen = connect.choose(environment, settings)
    prompt = "" if list(words) == ["-"] else reading.words(words)
    plan = _plan(environment, options, settings, chosen, template, prompt)
    source = open_input(environment, options, plan, words)
    plan = replace(plan, columns=source.columns)
    form = _form(options, plan, source)
    tasks = plan.tasks(source.records, of_batch=options.of_batch)
    batch = (options.server.wanted or bool(parts)) and not options.results.dry_run
    results = _results(environment, options, form, batch=batch)
    if results:
        tasks = remaining(tasks, results, retry_failed=options.results.retry_failed)
    if options.results.dry_run:
        purpose = Purpose("map", chosen.model, chosen.base_url)
        payer = accounts.account(environment, settings, options.account, purpose)
        as_json, wanted = options.results.json, options.server.wanted
        forecast(tasks, payer, chosen, results, as_json=as_json, batch=wanted)
        return
    work = _work(options, settings, chosen, plan)
    if batch:
        from llmcli.batch.server.progress import BatchResults  # noqa: PLC0415  # for --batch only
        from llmcli.batch.server.run import BatchRun  # noqa: PLC0415  # for --batch only

        assert isinstance(results, BatchResults)
        server = BatchRun(environment, work, results, options, parts)
        workers = server.workers(tasks)
        if workers is None:
            return
        tasks = server.tasks
    else:
        workers = _workers(environment, options, work)
    _run(environment, options, workers, form, results, source).run(tasks)


def _check(options: MapOptions, words: Sequence[str]) -> None:
    """Raise UsageError for an option that is not valid, or options that exclude each other."""
    output, given = options.results, options.prompt
    ways = [output.resume, output.retry_failed, output.restart]
    if sum(ways) > 1:
        raise UsageError("--resume, --retry-failed and --restart exclude each other")
    if any(ways) and output.output in (None, "-"):
        raise UsageError("--resume, --retry-failed and --restart need the FILE of -O")
    if sum((output.json, output.csv, output.one_line, options.of_batch)) > 1:
        raise UsageError("--json, --csv, --one-line and --requests exclude each other")
    rpm = options.pace.rpm
    if rpm is not None and not _SLOWEST <= rpm <= _FASTEST:
        bounds = f"between {_SLOWEST:g} and {_FASTEST:.0f}"
        raise UsageError(f"--rpm must be {bounds}, not {rpm:g}")
    if given.file and "-" in given.file:
        raise UsageError("-f - cannot be used with map: stdin has the records")
    if options.tools.approve:
        problem = "--approve cannot be used with map: it asks at the terminal, one call at a time"
        raise UsageError(problem)
    setup.check_variables(given)
    if options.input.files and words and os.path.exists(words[0]):
        # The shell has expanded a pattern that was not quoted.
        hint = "quote the pattern, as in --files 'src/*.py'"
        problem = f"--files takes one pattern, but PROMPT is the file {words[0]}"
        raise UsageError(problem, hint=hint)
    if options.of_batch and (words or given.file or given.system or given.template):
        hint = "the requests of the file are sent as they are"
        raise UsageError("--requests cannot be combined with PROMPT, -f, -s or -t", hint=hint)


def _settings(
    environment: Environment, options: MapOptions, template: "Template | None"
) -> Settings:
    settings = setup.settings(environment, options, template)
    return _with_any_model(settings) if options.of_batch else settings


def _with_any_model(settings: Settings) -> Settings:
    """Return the settings with a name in the place of a model, if they have none."""
    return settings if settings.model else replace(settings, model=_OWN_MODEL)


def _plan(
    environment: Environment,
    options: MapOptions,
    settings: Settings,
    chosen: Connection,
    template: "Template | None",
    prompt: str,
) -> Plan:
    """Read what the options name, but for the records, and return the plan."""
    given = options.prompt
    files = reading.Input(environment, reading.size(given.max_input), use_stdin=False)
    system = given.system
    # The system message of the template stands below -s and above that of the settings.
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
        chosen.base_url or "",
    )


def _work(options: MapOptions, settings: Settings, chosen: Connection, plan: Plan) -> Work:
    as_text = not (options.results.json or options.of_batch)
    in_text = as_text and not (options.results.csv or plan.shape)
    rules = RecordRules(
        model=chosen.model,
        local=chosen.local is not None,
        tag=settings.tag,
        deadline=settings.deadline,
        retries=settings.retries,
        limits=Limits(options.tools.max_turns, options.shape.repair),
        shape=plan.shape,
        demands=Demands(
            allow_cut=setup.allows_cut(settings, asked=options.results.allow_cut, in_text=in_text),
            check_calls=not options.tools.run_tools,
            text=as_text,
            fits_cut=plan.shape.fits_closed,
        ),
        think_tags=settings.think_tags == REASONING,
        verbose=options.results.verbose,
    )
    caps = Caps(options.pace.jobs, options.pace.rpm, options.pace.tpm)
    strict = options.tools.strict_tools
    return Work(settings, options.account, chosen, rules, plan.toolbox, strict, caps)


def _form(options: MapOptions, plan: Plan, source: Records) -> Form:
    if options.of_batch:
        return BatchForm()
    if options.results.json:
        return JsonForm()
    if options.results.csv:
        from llmcli.batch.results.csv_form import CsvForm  # noqa: PLC0415  # for --csv only

        return CsvForm(source.columns, source.names, plan.shape.schema)
    return TextForm(ordered=not options.results.unordered, one_line=options.results.one_line)


def _results(
    environment: Environment, options: MapOptions, form: Form, *, batch: bool
) -> Results | None:
    """Return the file of results that -O names.

    Return None without -O, for a device, and for a dry run, which must not create a file. Raises
    UsageError and NoInput where there is nothing to go on with.
    """
    output = options.results
    name, resume = output.output, output.resume or output.retry_failed
    begin = Begin.RESUME if resume else Begin.RESTART if output.restart else Begin.NEW
    if name in (None, "-"):
        return None
    if not is_regular(name):
        if resume:
            raise UsageError(f"cannot go on with {name}: it is not a regular file")
        return None
    if output.retry_failed and not is_begun(name):
        raise NoInput(f"{name} has no results to try again", hint="begin with --resume")
    if output.dry_run and not (resume and is_begun(name)):
        return None
    kind = Results
    if batch:
        from llmcli.batch.server.progress import BatchResults as kind  # noqa: PLC0415  # see above
    ordered, again = not output.unordered, output.retry_failed
    return kind(environment, name, form, begin, ordered=ordered, retry_failed=again)


def _run(
    environment: Environment,
    options: MapOptions,
    workers: Workers,
    form: Form,
    results: Results | None,
    source: Records,
) -> Run:
    # A file of results is put in order when the run ends, so no answer has to wait.
    ordered = not (options.results.unordered or results)
    sink = None if results else open_sink(environment, options.results.output)
    tally = Tally(results.resume_summary if results else str)
    bar = _bar(environment, options, tally, source, sink)
    window = workers.width * _WINDOW if ordered else None
    return Run(environment, workers, window, form, sink, results, tally, bar)


def _workers(environment: Environment, options: MapOptions, work: Work) -> Workers:
    if options.pace.cluster is not None:
        from llmcli.batch.cluster import setup as cluster  # noqa: PLC0415  # for --cluster only

        return cluster.workers(environment, work, options.pace.cluster)
    own = answerer(environment, work)
    width = work.caps.workers

    def answer(task: Task) -> Outcome | None:
        outcome = own(task)
        if outcome is not None and outcome.fatal:
            own.stop()  # at once: the thread of the results would come to it some requests later
        return outcome

    return Workers(answer, own.stop, threads(width), width, abandon=own.abandon, finish=own.finish)


def _bar(
    environment: Environment, options: MapOptions, tally: Tally, source: Records, sink: Sink | None
) -> Bar | None:
    """Return a progress bar; None without a terminal, or where it would stand among answers."""
    if environment.quiet or not environment.is_terminal(STDERR):
        return None
    if sink is not None and sink.terminal and environment.is_terminal(STDOUT):
        return None
    if environment.variables.get("TERM") in ("dumb", "unknown"):
        from llmcli.batch.results import progress_lines  # noqa: PLC0415  # for such terminals only

        return progress_lines.ProgressLines(
            tally, source.fraction_read, source.total, environment.note
        )
    from llmcli.batch.results.progress_bar import ProgressBar  # noqa: PLC0415  # brings rich

    return ProgressBar(tally, source.fraction_read, source.total)

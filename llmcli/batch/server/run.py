"""A run of `map` by the server's own batches: submit, wait, fetch, and answer each record."""

import signal
from collections.abc import Iterator, Sequence

from llmcli.api.types import ChatRequest, Message
from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.batch.ordered_map import do_nothing, threads
from llmcli.batch.run import Workers
from llmcli.batch.server import download
from llmcli.batch.server.books import Books
from llmcli.batch.server.download import Replies
from llmcli.batch.server.parts import Part
from llmcli.batch.server.progress import BatchResults
from llmcli.batch.server.replies import Missing, ReplyReader, expired
from llmcli.batch.server.requests_file import NOWHERE, Tasks, part_and_line
from llmcli.batch.server.service import Service
from llmcli.batch.server.submission import Submitter
from llmcli.batch.server.waiting import BatchWait
from llmcli.batch.spec import Work
from llmcli.batch.task import Outcome, Task
from llmcli.config import providers, url
from llmcli.config.map_options import MapOptions
from llmcli.config.options import AccountOptions
from llmcli.config.settings import Settings
from llmcli.errors import CantCreate, Interrupted, LlmcliError, ServerError, TryLater, UsageError
from llmcli.spending import account as accounts
from llmcli.spending.account import Purpose
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR

# How most servers name Chat Completions in the requests of a batch.
_PATH = "/v1/chat/completions"


def service_of(
    environment: Environment, settings: Settings, chosen: Connection, *, verbose: bool
) -> Service:
    """Return the files and batches of the chosen endpoint.

    Raises UsageError where there are none, ConfigError if its key is missing.
    """
    if chosen.base_url is None:
        raise UsageError("--batch needs an endpoint: a model in this process has no batches")
    known = providers.of_url(chosen.base_url)
    if known and not known.batch_path:
        those = ", ".join(p.name for p in providers.PROVIDERS.values() if p.batch_path)
        problem = f"{known.name} offers no batches in the form of OpenAI's /files and /batches"
        raise UsageError(problem, hint=f"of the known providers {those} do")
    endpoint = connect.endpoint(environment, settings, chosen)
    path = (known and known.batch_path) or _PATH
    log = environment.say if verbose else _ignore
    return Service(endpoint, path, settings.retries, environment.redact, log)


def _ignore(_line: str) -> None:
    pass


def books_of(
    environment: Environment, settings: Settings, options: AccountOptions, chosen: Connection
) -> Books:
    """Return the books of the chosen endpoint. Raises what opening an account raises."""
    purpose = Purpose("batch", chosen.model, chosen.base_url)
    account = accounts.account(environment, settings, options, purpose)
    return Books(environment, account, providers.batch_share(chosen.base_url or ""))


class BatchRun:
    """A run of `map` over batches; `parts` of earlier runs are gone on with.

    `tasks` are the records that it answers, once `workers` has returned.
    """

    def __init__(
        self,
        environment: Environment,
        work: Work,
        results: BatchResults,
        options: MapOptions,
        parts: Sequence[Part],
    ) -> None:
        chosen = work.chosen
        verbose = options.results.verbose
        self._service = service_of(environment, work.settings, chosen, verbose=verbose)
        self._books = books_of(environment, work.settings, work.account, chosen)
        identity = url.identity(chosen.base_url or "")
        for part in parts:
            check_endpoint(part, identity)
        self._submitter = Submitter(self._service, self._books, results, identity, work.rules.shape)
        self._environment = environment
        self._results = results
        self._detach = options.server.detach
        self._parts = list(parts)
        self._rules = work.rules
        self._tasks = Tasks()
        self._waited: BatchWait | None = None
        self._replies: list[Replies] = []

    @property
    def tasks(self) -> Iterator[Task]:
        """Return the tasks, which have their replies."""
        return iter(self._tasks)

    def workers(self, tasks: Iterator[Task]) -> Workers | None:
        """Send what has not been sent, wait for it, and return the workers that have the answers.

        Return None if the batch is left to the server (--detach). Raises TryLater if that was so
        before, and it is not over; Interrupted after a signal: the batch goes on.
        """
        before = self._submitter.recovered(self._parts)
        self._tasks, files, gone = self._submitter.collect(tasks, before)
        try:
            new = self._submitter.submit(files)
            self._parts = [*before, *new]
            for part in new:
                self._environment.note(f"map: {part.named()}: {part.count} requests sent")
            self._waited = BatchWait(self._environment, self._service, self._parts)
            if self._detach and not self._is_over(new):
                if before:
                    raise self._not_over()
                self._environment.note("map: the server works on it; fetch it with --resume")
                return None
            self._waited.until_over()
            self._fetch()
        except Interrupted as error:
            raise self._with_advice(error) from None
        self._results.parts = tuple(self._parts)
        reader = ReplyReader(self._environment, self._rules, self._books)
        self._keep(gone, reader)
        return Workers(lambda task: self._answer(reader, task), do_nothing, threads(1), 1)

    def _keep(self, places: Sequence[int], reader: ReplyReader) -> None:
        """Keep the answers whose records are gone, as they were paid for; else say that they are.

        Only a text can be kept: the other forms have the record as well, which nobody knows.
        """
        gone = 0
        for place in places:
            number, line = part_and_line(place)
            part, reply = self._parts[number], self._replies[number].reply_to(line)
            said = Message(role="user", content="")
            request = ChatRequest(model=part.model, messages=[said])
            outcome = reader.read(Task(-1, part.key(line), None, request), reply, expired())
            if outcome.error is None:
                gone += 1
                self._results.keep(outcome)
        if gone:
            which = "1 answer belongs" if gone == 1 else f"{gone} answers belong"
            self._environment.note(f"{which} to no record of the input any more")

    def _is_over(self, new: Sequence[Part]) -> bool:
        assert self._waited
        return not new and self._waited.look()

    def _not_over(self) -> TryLater:
        assert self._waited
        states = zip(self._parts, self._waited.batches(), strict=False)
        told = "; ".join(f"{part.named()}: {batch}" for part, batch in states if not batch.is_over)
        hint = "ask again later, or wait with --resume alone"
        return TryLater(told or "the batch was sent just now", hint=hint)

    def _fetch(self) -> None:
        """Fetch all replies, and write to the ledger what they have cost."""
        assert self._waited
        for part, batch in zip(self._parts, self._waited.batches(), strict=True):
            try:
                replies = download.fetch_replies(self._service, part, batch)
            except LlmcliError as error:
                error.add_note("nothing is lost: --resume fetches it again, --cancel gives it up")
                raise
            for line in replies.warnings():
                self._environment.note(line)
            self._books.bill(part, replies.reply_to, _Steps(self._results, part))
            self._replies.append(replies)

    def _answer(self, reader: ReplyReader, task: Task) -> Outcome:
        place = self._tasks.place_of(task)
        if place == NOWHERE:
            return reader.read(task, None, ServerError("the record was not sent"))
        assert self._waited
        number, line = part_and_line(place)
        part, batch = self._parts[number], self._waited.batches()[number]
        reply = self._replies[number].reply_to(line)
        return reader.read(task, reply, Missing(part, batch).error(line))

    def _with_advice(self, error: Interrupted) -> Interrupted:
        advice = "map: the batch goes on at the server; go on with --resume, end it with --cancel"
        if error.signal_number == signal.SIGINT and not self._environment.is_terminal(STDERR):
            # Without a terminal the message of ^C itself is left out (see llmcli.cli.main).
            self._environment.note(advice)
        else:
            error.add_note(advice)
        return error


class _Steps:
    """A function that notes each state that a part enters."""

    def __init__(self, results: BatchResults, part: Part) -> None:
        self._results = results
        self._part = part

    def __call__(self, state: str) -> None:
        self._results.step(self._part, state)


def check_endpoint(part: Part, identity: str) -> None:
    """Raise CantCreate if a part was sent to another server than the one with this identity."""
    if part.endpoint != identity:
        problem = f"{part.named()} was sent to {part.endpoint}, not to {identity}"
        raise CantCreate(problem, hint="name the endpoint with --base-url or --profile")

"""A run over many records: workers, results as they come, and how it ends."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Protocol

from llmcli.batch.ordered_map import Mapping, nothing
from llmcli.batch.results.formats import Form
from llmcli.batch.results.store import Results
from llmcli.batch.results.summary import Tally
from llmcli.batch.worker import Outcome, Task, lost
from llmcli.errors import Interrupted, LlmcliError, NetworkError, SomeFailed
from llmcli.output.sink import Sink
from llmcli.system.dataclass import dataclass, field
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR

# Records in a row that found no endpoint, at least, before the run is given up.
_ENOUGH = 16
# Seconds within which two signals are one.
_AT_ONCE = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Workers:
    """`work`, by `width` of an executor's at once. `stop`: nothing more is to be sent. `cancels`:
    as Mapping has it. `abandon`: what is in flight is not waited for. `finish`: nothing more will
    come; a warning, if there is one."""

    work: Callable[[Task], Outcome | None]
    stop: Callable[[], None]
    executor: Executor
    width: int
    cancels: bool = True
    abandon: Callable[[], None] = nothing
    finish: Callable[[], str | None] = nothing


class Bar(Protocol):
    """Who shows how far it has come."""

    def update(self) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Run:
    """`sink` gets what is shown; `results`, where there are any, keep it instead. Answers
    wait for an earlier one, at most `window` of them; None: in no order."""

    environment: Environment
    workers: Workers
    window: int | None
    form: Form
    sink: Sink | None
    results: Results | None
    tally: Tally
    bar: Bar | None
    # Of records, whether the endpoint was reached.
    reached: Counter[bool] = field(default_factory=Counter)

    def run(self, tasks: Iterator[Task]) -> None:
        """Raises what stopped it; SomeFailed where records failed."""
        workers = self.workers
        mapping: Mapping[Task, Outcome | None] = Mapping(
            workers.work, workers.executor, workers.width, lost, workers.cancels
        )
        ending: list[LlmcliError | Interrupted] = []
        with _Signals(mapping, workers.stop, ending, self.environment):
            try:
                self._take(mapping, tasks, ending)
            except LlmcliError as error:
                raise (self._ended(error) if mapping.begun else error) from None
            except Interrupted as error:
                self.workers.abandon()
                self._hand_out(mapping.cut_short())
                raise self._ended(error) from None
            finally:
                self.workers.stop()
                mapping.stop()
                self._warn()
        if ending:
            raise self._ended(ending[0])
        self._finish()
        if self.tally.failed:
            raise self._failed()
        self.environment.note(f"map: {self.tally.summary()}")

    def _finish(self) -> None:
        """Raises WriteError, CantCreate."""
        try:
            if self.results:
                self.results.finish()
            if self.sink:
                self.sink.commit()
        except LlmcliError as error:
            raise self._ended(error) from None

    def _warn(self) -> None:
        warning = self.workers.finish()
        if warning is not None and warning not in self.tally.warnings:
            self.tally.warnings[warning] = 1
        if self.bar:
            self.bar.end()
        for line in self.tally.warned():
            self.environment.note(line)

    def _take(
        self,
        mapping: "Mapping[Task, Outcome | None]",
        tasks: Iterator[Task],
        ending: list[LlmcliError | Interrupted],
    ) -> None:
        def look(outcome: Outcome | None) -> None:
            if outcome is not None and not ending and self._ends(outcome):
                assert outcome.error is not None
                ending.append(outcome.error)
                self.workers.stop()
                mapping.stop()

        self._hand_out(mapping.results(tasks, self.window, look))

    def _hand_out(self, outcomes: Iterator[Outcome | None]) -> None:
        gaps = 0  # what was not asked, in front of what was
        for outcome in outcomes:
            if outcome is None or (outcome.fatal and not outcome.sent):
                gaps += 1
                continue
            if self.sink and self.window and gaps:
                self.sink.write(self.form.gap * gaps)
            gaps = 0
            self._keep(outcome)
            if self.bar:
                self.bar.update()

    def _ends(self, outcome: Outcome) -> bool:
        """Whether it is of no use to go on. An endpoint that nobody has reached is none either."""
        error = outcome.error
        attempts = outcome.report["llmcli"]["attempts"]
        if error is None or any(attempt["status"] for attempt in attempts):
            self.reached[True] += 1
        elif isinstance(error, NetworkError):
            self.reached[False] += 1
            enough = self.reached[False] >= max(2 * self.workers.width, _ENOUGH)
            return outcome.fatal or (enough and not self.reached[True])
        return outcome.fatal

    def _keep(self, outcome: Outcome) -> None:
        task = outcome.task
        if self.results:
            self.results.add(task.index, self.form.in_file(outcome))
        elif self.sink and (text := self.form.shown(outcome, self.sink.terminal)):
            self.sink.write(text)
        self.tally.add(outcome)

    def _failed(self) -> LlmcliError:
        nobody = self.reached[False] == self.tally.failed and not self.tally.done
        kind = NetworkError if nobody else SomeFailed
        return kind(f"map: {self.tally.summary()}; {self.tally.first_failure}")

    def _ended(self, error: LlmcliError | Interrupted) -> LlmcliError | Interrupted:
        """With how far it came, and how to go on."""
        go_on = "with -O FILE it can go on by --resume"
        if self.results:
            go_on = f"{self.results.path} has what came; go on with --resume"
        summary = f"map: {self.tally.summary()}; {go_on}"
        of_keyboard = isinstance(error, Interrupted) and error.signal_number == signal.SIGINT
        if of_keyboard and not self.environment.is_terminal(STDERR):
            self.environment.note(summary)  # of the ^C itself nothing is said in a pipeline
        else:
            error.add_note(summary)
        return error


class _Signals:
    """The first one lets what is in flight end; the second ends the run at once. One that comes
    with the first is none: timeout(1) sends it to the process and to its group."""

    def __init__(
        self,
        mapping: "Mapping[Any, Any]",
        stop: Callable[[], None],
        ending: list[LlmcliError | Interrupted],
        environment: Environment,
    ) -> None:
        self._mapping = mapping
        self._stop = stop
        self._ending = ending
        self._environment = environment
        self._first = 0.0

    def __enter__(self) -> None:
        caught = (n for n in _SIGNALS if callable(signal.getsignal(n)))
        self._before = {n: signal.signal(n, self._came) for n in caught}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _came(self, number: int, _frame: object) -> None:
        if self._first:
            if time.monotonic() - self._first > _AT_ONCE:
                raise Interrupted(number)
            return
        self._first = time.monotonic()
        self._ending.insert(0, Interrupted(number))
        self._mapping.wake(self._begin_to_end)

    def _begin_to_end(self) -> None:
        if self._environment.is_terminal(STDERR):
            self._environment.note("ending what has begun; ^C again ends at once")
        self._stop()
        self._mapping.stop()

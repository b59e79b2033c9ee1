"""A run of `map`: it hands the records to the workers, puts the results where they go, and ends."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Protocol

from llmcli.batch.ordered_map import OrderedMap, do_nothing
from llmcli.batch.results.formats import Form
from llmcli.batch.results.store import Results
from llmcli.batch.results.summary import Tally
from llmcli.batch.task import Outcome, Task, lost_outcome
from llmcli.errors import Interrupted, LlmcliError, NetworkError, SomeFailed
from llmcli.output.sink import Sink
from llmcli.system.dataclass import dataclass, field
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR
from llmcli.system.text import one_line

# Failed connections after which the run is given up if no connection was ever made. It is twice
# the number of workers where that is more, so that each has tried again.
_FAILED_CONNECTIONS = 16
# Seconds in which two signals count as one: timeout(1) sends its signal to the process and then to
# the process group, which has the process in it.
_SAME_SIGNAL = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Workers:
    """The workers of a run: threads of this process, or those of a Dask cluster.

    The executor calls `work` for a task, `width` at once; it returns None for a task that was not
    asked. `stop` keeps further requests from being sent. `can_cancel` is that of OrderedMap.
    `abandon` is called if requests under way are not waited for. `finish` is called when no more
    tasks will come; it returns a warning or None.
    """

    work: Callable[[Task], Outcome | None]
    stop: Callable[[], None]
    executor: Executor
    width: int
    can_cancel: bool = True
    abandon: Callable[[], None] = do_nothing
    finish: Callable[[], str | None] = do_nothing


class Bar(Protocol):
    """A display of how far a run has come."""

    def update(self) -> None:
        """Show the counts as they are now."""

    def end(self) -> None:
        """Remove the display."""


@dataclass(frozen=True)
class Run:
    """A run of `map` that is ready to begin.

    The answers go to `results` if there is a file of results, else to `sink`; one of the two is
    None. At most `window` answers wait for an earlier one, so that they come in the order of the
    records; with None they come in no order. `reached` counts the records that reached the endpoint
    (True) and that found no connection to it (False).
    """

    environment: Environment
    workers: Workers
    window: int | None
    form: Form
    sink: Sink | None
    results: Results | None
    tally: Tally
    bar: Bar | None
    reached: Counter[bool] = field(default_factory=Counter)

    def run(self, tasks: Iterator[Task]) -> None:
        """Answer all tasks, and put the answers where they go.

        Raises SomeFailed if the run came to its end and records failed, NetworkError if none could
        reach the endpoint; the error of a record that ends the run, such as a refused key; what
        reading the records raises; WriteError and CantCreate where answers cannot be written; and
        Interrupted after a signal.
        """
        workers = self.workers
        work: OrderedMap[Task, Outcome | None] = OrderedMap(
            workers.work,
            workers.executor,
            workers.width,
            lost_outcome,
            can_cancel=workers.can_cancel,
        )
        # What ended the run before its time. A list, as it is also filled by a signal's handler.
        endings: list[LlmcliError | Interrupted] = []
        with _Signals(work, workers.stop, endings, self.environment):
            try:
                self._answer_all(work, tasks, endings)
            except LlmcliError as error:
                raise (self._with_progress(error) if work.begun else error) from None
            except Interrupted as error:
                self.workers.abandon()
                self._hand_out(work.left_over())
                raise self._with_progress(error) from None
            finally:
                self.workers.stop()
                work.stop()
                self._warn()
        if endings:
            raise self._with_progress(endings[0])
        self._finish()
        if self.tally.failed:
            raise self._failure()
        if self.results and self.results.counts.given_up:
            raise SomeFailed(f"map: {self.tally.summary()}")
        none = not (self.tally.done or self.tally.earlier_runs())
        self.environment.note(f"map: {'0 records' if none else self.tally.summary()}")

    def _finish(self) -> None:
        """Bring the output into its final form. Raises WriteError, CantCreate."""
        try:
            if self.results:
                self.results.finish()
            if self.sink:
                self.sink.commit()
        except LlmcliError as error:
            raise self._with_progress(error) from None

    def _warn(self) -> None:
        """Finish the workers and report all warnings of the run."""
        warning = self.workers.finish()
        if warning is not None and warning not in self.tally.warnings:
            self.tally.warnings[warning] = 1
        # First, as the bar and a line on stderr would be drawn over each other.
        if self.bar:
            self.bar.end()
        for line in self.tally.warning_lines():
            self.environment.note(line)
        if (several := self.tally.several_lines) and not self.form.tells_lines_apart:
            have = "answer has" if several == 1 else "answers have"
            self.environment.note(f"{several} {have} several lines; --json keeps them apart")
        if left_out := ", ".join(self.form.left_out):
            keys = one_line(left_out, 200)
            problem = f"the first record has no key {keys}, so there is no such column"
            self.environment.note(f"warning: {problem}; --json keeps all keys")

    def _answer_all(
        self,
        work: "OrderedMap[Task, Outcome | None]",
        tasks: Iterator[Task],
        endings: list[LlmcliError | Interrupted],
    ) -> None:
        def stop_if_useless(outcome: Outcome | None) -> None:
            if outcome is not None and not endings and self._must_end(outcome):
                assert outcome.error is not None
                endings.append(outcome.error)
                self.workers.stop()
                work.stop()

        if self.sink and self.form.head:
            self.sink.write(self.form.head)
        # Looked at on arrival: in order, the turn of a failure may come long after it.
        self._hand_out(work.results(tasks, self.window, stop_if_useless))

    def _hand_out(self, outcomes: Iterator[Outcome | None]) -> None:
        # Records in a row that were not asked, or that failed before any was answered. Only those
        # in front of an answer get their gap: an output that was ended does not end in empty lines,
        # and one without any answer has none.
        tally = self.tally
        for outcome in outcomes:
            if outcome is None or (outcome.fatal and not outcome.sent):
                tally.gaps += 1
                continue
            if self.form.gap and outcome.error is not None and not tally.done:
                tally.gaps += 1
            elif tally.gaps:
                if self.sink and self.window:
                    self.sink.write(self.form.gap * tally.gaps)
                tally.gaps = 0
            self._write(outcome)
            if self.bar:
                self.bar.update()

    def _must_end(self, outcome: Outcome) -> bool:
        """Return True if further records would fail as well.

        That is so after a fatal outcome, and after many failed connections if none was ever made.
        """
        error = outcome.error
        attempts = outcome.report["llmcli"]["attempts"]
        refused = error is not None and error.of_proxy
        if error is None or (not refused and any(attempt["status"] for attempt in attempts)):
            self.reached[True] += 1
        elif isinstance(error, NetworkError):
            self.reached[False] += 1
            most = max(2 * self.workers.width, _FAILED_CONNECTIONS)
            given_up = self.reached[False] >= most and not self.reached[True]
            return outcome.fatal or given_up
        return outcome.fatal

    def _write(self, outcome: Outcome) -> None:
        """Write the outcome to the file of results or the sink, and then count it."""
        task = outcome.task
        if self.results:
            self.results.add(task.index, self.form.to_line(outcome))
        elif self.sink and (outcome.error is None or self.tally.done or not self.form.gap):
            self.sink.write(self.form.shown(outcome, terminal=self.sink.terminal))
        self.tally.add(outcome)

    def _failure(self) -> LlmcliError:
        """Return the error of a run that came to its end with failed records."""
        none_reached = self.reached[False] == self.tally.failed and not self.tally.done
        kind = NetworkError if none_reached else SomeFailed
        return kind(f"map: {self.tally.summary()}; {self.tally.first_failure}")

    def _with_progress(self, error: LlmcliError | Interrupted) -> LlmcliError | Interrupted:
        """Return the error with a note on how far the run came and how to go on."""
        go_on = "a run with -O FILE can go on with --resume"
        if self.results:
            go_on = f"the answers so far are in {self.results.path}; go on with --resume"
        summary = f"map: {self.tally.summary()}; {go_on}"
        from_keyboard = isinstance(error, Interrupted) and error.signal_number == signal.SIGINT
        if from_keyboard and not self.environment.is_terminal(STDERR):
            # Without a terminal the message of ^C itself is left out (see llmcli.cli.main).
            self.environment.note(summary)
        else:
            error.add_note(summary)
        return error


class _Signals:
    """The handling of ^C and SIGTERM during a run, as a context manager.

    The first signal lets requests under way end, and then the run ends; a second one raises
    Interrupted at once.
    """

    def __init__(
        self,
        work: "OrderedMap[Any, Any]",
        stop: Callable[[], None],
        endings: list[LlmcliError | Interrupted],
        environment: Environment,
    ) -> None:
        self._work = work
        self._stop = stop
        self._endings = endings
        self._environment = environment
        self._first_at = 0.0

    def __enter__(self) -> None:
        # A signal that the parent process has ignored, as nohup does, stays ignored.
        caught = (n for n in _SIGNALS if callable(signal.getsignal(n)))
        self._before = {n: signal.signal(n, self._handle) for n in caught}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if self._first_at:
            if time.monotonic() - self._first_at > _SAME_SIGNAL:
                raise Interrupted(number)
            return
        self._first_at = time.monotonic()
        self._endings.insert(0, Interrupted(number))
        # Stopping takes locks, which the interrupted code may hold. So it is left to the thread
        # of the results, between two events.
        self._work.wake(self._stop_gently)

    def _stop_gently(self) -> None:
        if self._environment.is_terminal(STDERR):
            self._environment.note("waiting for requests under way; ^C again ends at once")
        self._stop()
        self._work.stop()

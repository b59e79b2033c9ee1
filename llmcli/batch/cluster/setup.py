"""From the value of --cluster to the workers of a run."""

import os

from llmcli.batch.cluster.crew import Crew
from llmcli.batch.cluster.executor import BatchExecutor
from llmcli.batch.cluster.local import LocalWorkers
from llmcli.batch.cluster.purse import Purse
from llmcli.batch.cluster.sizes import most_records
from llmcli.batch.run import Workers
from llmcli.batch.spec import Work, account_of
from llmcli.batch.task import Outcome, Task
from llmcli.errors import UsageError
from llmcli.system.environment import Environment

_LOCAL = "local"


def workers(environment: Environment, work: Work, address: str) -> Workers:
    """Return the workers at `address`: "local", "local:N", or that of a Dask scheduler.

    Raises UsageError for another text, ConfigError where Dask is not installed, NetworkError where
    the scheduler does not answer or has no workers, OutOfResources where no process can be started.
    """
    account = account_of(environment, work)
    name, colon, number = address.partition(":")
    crew: Crew
    if name == _LOCAL and not number.startswith("//"):
        count = _processes(address, number if colon else None)
        verbose = work.rules.verbose
        crew = LocalWorkers(count, quiet=environment.quiet, verbose=verbose)
        sent = work
    else:
        from llmcli.batch.cluster.dask import DaskWorkers  # noqa: PLC0415  # an extra

        limited = work.caps.rpm is not None or work.caps.tpm is not None
        patience = work.settings.connect_timeout
        crew = DaskWorkers(environment, address, patience, limited=limited)
        sent = work.without_secrets()
    count = crew.count()
    purse = Purse(account, work.rules, _turns(work))
    executor = BatchExecutor(crew, sent.share(count), purse)
    return Workers(
        _asked_by_executor,
        executor.stop,
        executor,
        count * work.caps.workers,
        abandon=executor.close,
        finish=executor.finish,
        most=most_records(count),
        slots=executor.slots,
        watch=executor.watch,
    )


def _processes(address: str, number: str | None) -> int:
    """Return N of `local:N`; without it as many as this process has cores."""
    if number is None:
        return _cores()
    if not number.isdecimal() or int(number) == 0:
        problem = f"--cluster {address}: N of local:N must be a whole number from 1"
        raise UsageError(problem, hint="--cluster local takes one process for each core")
    return int(number)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _turns(work: Work) -> int:
    """Return how many requests a record may take, without retries."""
    limits, turns = work.rules.limits, 1
    if work.toolbox is not None and not work.rules.demands.check_calls:
        turns = limits.turns
    return turns + limits.repairs


def _asked_by_executor(_task: Task) -> Outcome | None:
    raise AssertionError("the executor has its own way to answer a task")

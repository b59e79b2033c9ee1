"""The tasks of a run that goes on: those that have no answer yet."""

from collections.abc import Iterator

from llmcli.batch.results.store import Results
from llmcli.batch.task import Task


def remaining(tasks: Iterator[Task], results: Results, *, retry_failed: bool) -> Iterator[Task]:
    """Yield the tasks that have no answer yet; with `retry_failed` only those that failed.

    Raises NoInput if `retry_failed` is True and there are no results of an earlier run.
    """
    if retry_failed:
        results.check_has_lines()
    for task in tasks:
        if not results.claim_answer(task) and (not retry_failed or results.has_failed(task)):
            yield task

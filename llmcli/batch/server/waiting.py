"""The wait for batches: the server is asked less and less often, and the counts are told."""

import time
from collections.abc import Sequence

from llmcli.batch.server.parts import Part
from llmcli.batch.server.service import Batch, Service
from llmcli.errors import LlmcliError
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDERR

# Seconds: the first pause, how it grows, and the longest of our own.
_FIRST, _GROWTH, _LONGEST = 1.0, 1.5, 60.0
# Seconds: the shortest and the longest pause that a server may ask for.
_LEAST_ASKED, _MOST_ASKED = 0.05, 3600.0
# Questions in a row that fail until the wait is given up: about half an hour.
_MOST_FAILURES = 30


class BatchWait:
    """A wait until the batches of `parts` are over."""

    def __init__(self, environment: Environment, service: Service, parts: Sequence[Part]) -> None:
        self._environment = environment
        self._service = service
        self._parts = parts
        self._batches: dict[str, Batch] = {}
        self._failures = 0

    def look(self) -> bool:
        """Ask once for each batch that is not over; return True if all are."""
        for part in self._parts:
            assert part.batch_id is not None
            before = self._batches.get(part.batch_id)
            if before is None or not before.is_over:
                batch = self._service.batch(part.batch_id)
                self._batches[part.batch_id] = batch
                self._tell(part, before, batch)
        return all(batch.is_over for batch in self.batches())

    def until_over(self) -> None:
        """Return once all batches are over.

        What may pass, such as a network that is down, is waited for. Raises the error of a question
        that fails for another reason, or again and again.
        """
        pause = _FIRST
        while True:
            asked = None
            try:
                if self.look():
                    return
                self._failures = 0
                told = [b.retry_after for b in self.batches() if b.retry_after is not None]
                asked = min(told, default=None)
            except LlmcliError as error:
                self._failures += 1
                if not error.transient or self._failures >= _MOST_FAILURES:
                    raise
                if self._failures == 1:
                    self._environment.note(f"{error}; the batch goes on, and is asked for again")
                asked = error.retry_after
            if asked is not None:
                asked = min(max(asked, _LEAST_ASKED), _MOST_ASKED)
            time.sleep(pause if asked is None else asked)
            pause = min(pause * _GROWTH, _LONGEST)

    def batches(self) -> list[Batch]:
        """Return the batches as they were last seen, in the order of the parts."""
        return [self._batches[part.batch_id] for part in self._parts if part.batch_id]

    def _tell(self, part: Part, before: Batch | None, batch: Batch) -> None:
        """Say what has changed: on a terminal all counts, elsewhere only a new status."""
        same = before is not None and before.status == batch.status
        if self._environment.is_terminal(STDERR):
            same = before is not None and str(before) == str(batch)
        if not same:
            self._environment.note(f"map: {part.named()}: {batch}")

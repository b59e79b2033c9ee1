"""What the executor of a cluster asks of the workers, and what they report to it."""

from collections.abc import Sequence
from typing import Protocol

from llmcli.batch.cluster.parcels import Answered, Parcel
from llmcli.errors import LlmcliError


class Desk(Protocol):
    """Where workers report what became of a batch, from any thread. A batch has a `number`."""

    def answered(self, number: int, answers: Sequence[Answered]) -> None:
        """Take in answers of a batch; those of one that was given up are ignored."""

    def ended(self, number: int) -> None:
        """Note that a worker has ended a batch: what it did not answer, it did not begin."""

    def lost(self, number: int) -> None:
        """Note that the worker of a batch died; the batch is not under way any more."""

    def repeated(self, number: int) -> None:
        """Note that another worker has begun a batch anew, as the one before died."""

    def failed(self, number: int, error: BaseException) -> None:
        """Note that a batch cannot be answered by any worker."""

    def gone(self, error: LlmcliError) -> None:
        """Note that there are no workers any more, because of `error`."""


class Crew(Protocol):
    """The workers of a cluster."""

    def count(self) -> int:
        """Return how many workers there are now."""

    def start(self, desk: Desk) -> None:
        """Report to `desk` from now on."""

    def send(self, batch: Parcel) -> None:
        """Hand a batch to a worker."""

    def stop(self) -> None:
        """Let the workers send no more requests, and those under way end."""

    def close(self) -> None:
        """Leave the workers, and do not wait for those that are at work."""

"""The seam: what every form of output can do."""

from typing import Protocol

from ..completion import Completion, Delta
from ..errors import Interrupted, LlmcliError


class Renderer(Protocol):
    @property
    def committed(self) -> bool:
        """Something of the answer was written where it cannot be taken back."""

    def again(self, error: LlmcliError, wait: float) -> None:
        """Take back what was shown: the request is sent again in `wait` seconds."""

    def show(self, delta: Delta) -> None:
        """A piece of the answer as it lands."""

    def finish(self, completion: Completion) -> None:
        """The answer is whole: end the output and make it stay."""

    def fail(self, error: LlmcliError | Interrupted) -> None:
        """The answer is not whole: keep what there is, in the form that was asked for."""

"""What the measurements are told on the command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`quick` is to see that everything works, `full` takes an hour."""

    runs: int = 15
    quick: bool = False
    full: bool = False
    beside: str | None = None

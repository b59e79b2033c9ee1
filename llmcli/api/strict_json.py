"""JSON as RFC 8259 defines it: without NaN, Infinity and numbers that are too large for a float."""

import json
import math
from typing import Any


def parse_json(text: str) -> Any:
    """Return the value that `text` stands for; its fractional numbers are of class Written.

    Raise ValueError, with a message that a user understands, if `text` is not strict JSON.
    """
    try:
        # By itself json takes NaN and Infinity, and reads 1e999 as infinity.
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not valid JSON")


class Written(float):
    """A fractional number that keeps the `text` it was written as, such as 1.10 for a price."""

    text: str


def _finite(text: str) -> float:
    value = Written(text)
    value.text = text
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value

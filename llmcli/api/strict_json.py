"""JSON as RFC 8259 has it: no NaN, no Infinity, and no number too large for a float."""

import json
import math
from typing import Any


def parse_json(text: str) -> Any:
    """Raises ValueError with words for a person."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


class Written(float):
    """A number that has kept its `text`: 1.10 may be a price, or a version."""

    text: str


def _finite(text: str) -> float:
    value = Written(text)
    value.text = text
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value

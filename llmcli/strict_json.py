"""JSON as RFC 8259 has it: no NaN, no Infinity, and no number too large for a float."""

import json
import math
from typing import Any


def parse(text: str) -> Any:
    """Raises ValueError with words for a person."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value

"""Lengths of time, as people write them."""

import re

# Seconds of each unit.
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# Compiled at its first use: most runs are given no time.
_PART = r"(\d+\.?\d*|\.\d+)(ms|[smhd])"


class Seconds(float):
    """A length of time in seconds, made of a number or of a text such as `90`, `5m` or `1h30m`."""

    __slots__ = ()

    def __new__(cls, value: object = 0.0) -> "Seconds":
        """Return the length that `value` names; raise ValueError if it names none."""
        text = str(value).strip().lower()
        if re.sub(_PART, "", text) == "" != text:
            return super().__new__(
                cls, sum(float(n) * _UNITS[u] for n, u in re.findall(_PART, text))
            )
        return super().__new__(cls, text)

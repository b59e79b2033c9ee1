"""Which short ways are taken: code for the plain case, without the library for every case.

`LLMCLI_SHORT=0` turns all of them off, which is the first thing to try where something looks odd. A
list of names, divided by commas, leaves only those on; the benchmarks measure each way by that.
"""

import os

# The file of each says what the way wins.
NAMES = (
    "command-line",  # cli/parser.py
    "dataclasses",  # system/dataclass.py
    "early-request",  # backends/http/early.py
    "repeated-events",  # backends/http/repeated_events.py
    "version",  # cli/entry.py
    "whole-chunks",  # backends/http/body.py
)
_GIVEN = os.environ.get("LLMCLI_SHORT", "")


def is_on(name: str) -> bool:
    """Return whether the short way of this name may be taken."""
    return not _GIVEN or name in _GIVEN.split(",")

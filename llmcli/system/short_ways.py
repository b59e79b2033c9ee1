"""The switch of the short ways: code that does a plain case without the library for every case.

A short way only saves time; it must do the same as the library. The environment variable
LLMCLI_SHORT=0 turns all short ways off, which is the first thing to try when something looks odd.
A list of their names, divided by commas, leaves only those on, so that each can be measured.
"""

import os

# The names of all short ways. The file of each says how much time it saves.
NAMES = (
    "command-line",  # cli/parser.py
    "dataclasses",  # system/dataclass.py
    "one-line-events",  # backends/http/reply/one_line_events.py
    "plain-request",  # backends/http/plain.py
    "repeated-events",  # backends/http/reply/repeated_events.py
    "result-lines",  # batch/results/entry.py
    "version",  # cli/entry.py
)
_GIVEN = os.environ.get("LLMCLI_SHORT", "")


def is_on(name: str) -> bool:
    """Return whether the short way `name`, one of NAMES, may be taken."""
    return not _GIVEN or name in _GIVEN.split(",")

"""Prices, and what the ledger has recorded, for the tests of spending."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Config = Callable[[str], Path]

# A token of input is 1 USD a million, one of output 10.
PRICES = 'prices = { "*" = { prompt = 1, completion = 10 } }\n'
# One of output 2.
PRICED = 'prices = { "*" = { prompt = 1, completion = 2 } }'


def records(home: Path, event: str = "settled") -> list[dict[str, Any]]:
    """Read the lines of the ledger that tell of such an event."""
    paths = sorted((home / ".local/state/llmcli/ledger").glob("*.jsonl"))
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]

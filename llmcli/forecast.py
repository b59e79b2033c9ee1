"""`map --dry-run`: how many requests, and what they may cost."""

from collections.abc import Iterator
from decimal import Decimal

from . import estimate, pricing
from .answering import Task
from .connection import Connection
from .environment import print_line
from .meter import Account
from .output.json import print_json
from .pricing import dollars
from .results import Results

# Bytes of text for a token, as English has it.
_BYTES_A_TOKEN = 4


def forecast(
    tasks: Iterator[Task],
    account: Account,
    chosen: Connection,
    results: Results | None,
    as_json: bool,
) -> None:
    """Reads all of the input, and sends nothing."""
    requests = malformed = tokens = 0
    most: Decimal | None = Decimal(0)
    for task in tasks:
        if task.request is None:
            malformed += 1
            continue
        requests += 1
        bound = estimate.bound(task.request, account.model, account.price)
        tokens += bound.input // _BYTES_A_TOKEN
        usd = pricing.LOCAL.usd if chosen.local else bound.cost.usd
        most = None if most is None or usd is None else most + usd
    counts = results.counts if results else None
    if as_json:
        print_json({
            "requests": requests,
            "malformed": malformed,
            "done_before": counts.done if counts else 0,
            "changed": counts.changed if counts else 0,
            "prompt_tokens_about": tokens,
            "cost_usd_at_most": None if most is None else float(most),
        })  # fmt: skip
        return
    words = [f"{requests} requests", f"about {tokens} tokens in"]
    words.append("cost unknown" if most is None else f"at most {dollars(most)}")
    if malformed:
        words.append(f"{malformed} malformed records")
    if counts:
        words.append(f"{counts.done} are done, {counts.changed} changed")
    print_line(", ".join(words))

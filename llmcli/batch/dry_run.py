"""What `map --dry-run` prints: how many requests a run would send, and what they may cost."""

from collections.abc import Iterator
from decimal import Decimal

from llmcli.api.reply.cost import LOCAL, dollars
from llmcli.api.types import ChatRequest
from llmcli.backends.connect import Connection
from llmcli.batch.results.store import Results
from llmcli.batch.task import Task
from llmcli.config import providers
from llmcli.output.json import print_json
from llmcli.spending import estimate
from llmcli.spending.account import Account
from llmcli.system.stdio import print_line

# About how many bytes of English text make a token.
_BYTES_A_TOKEN = 4
# Tokens that the template of a chat model adds to each message, about.
_TOKENS_A_MESSAGE = 4


def forecast(
    tasks: Iterator[Task],
    account: Account,
    chosen: Connection,
    results: Results | None,
    *,
    as_json: bool,
    batch: bool = False,
) -> None:
    """Read the whole input and print what its requests may cost, without sending any.

    `results` has the counts of earlier runs if this one goes on. With `batch`, or where batches are
    known to cost less, it says what they would cost. Raises what reading the input raises.
    """
    requests = malformed = tokens = 0
    # USD; None as soon as nothing bounds the cost of one request.
    most: Decimal | None = Decimal(0)
    for task in tasks:
        if task.request is None:
            malformed += 1
            continue
        requests += 1
        payer = account.of_model(task.request["model"])
        bound = estimate.bound(task.request, payer.model, payer.price)
        tokens += _tokens(task.request)
        usd = LOCAL.usd if chosen.local else bound.cost.usd
        most = None if most is None or usd is None else most + usd
    counts = results.counts if results else None
    share = providers.batch_share(chosen.base_url or "")
    as_batch = most * share if most is not None and (batch or share < 1) else None
    if as_json:
        print_json({
            "requests": requests,
            "malformed": malformed,
            "done_before": counts.done if counts else 0,
            "changed": counts.changed if counts else 0,
            "prompt_tokens_about": tokens,
            "cost_usd_at_most": None if most is None else float(most),
            "batch_cost_usd_at_most": None if as_batch is None else float(as_batch),
        })  # fmt: skip
        return
    words = [_count(requests, "request"), f"about {tokens} tokens in"]
    words.append(_cost(most, account))
    if as_batch is not None:
        words.append(f"as a batch at most {dollars(as_batch)}")
    if most is not None and account.allowance.usd is not None and most > account.allowance.usd:
        words.append(f"which --max-cost {dollars(account.allowance.usd)} may end early")
    if malformed:
        words.append(_count(malformed, "malformed record"))
    print_line(", ".join([*words, results.resume_summary()] if results else words))


def _tokens(request: ChatRequest) -> int:
    """Return about how many tokens the messages have, by the length of their text."""
    texts = (str(message.get("content")) for message in request["messages"])
    return sum(
        _TOKENS_A_MESSAGE + len(text.encode(errors="replace")) // _BYTES_A_TOKEN for text in texts
    )


def _cost(most: Decimal | None, account: Account) -> str:
    if most is not None:
        return f"at most {dollars(most)}"
    if account.price is None:
        return "cost unknown: the price of the model is not known"
    return "cost unknown: give --max-tokens to bound it"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

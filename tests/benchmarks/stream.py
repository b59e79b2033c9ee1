"""A token's way from the server's write to the reader of the client's stdout."""

import math
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import serving
from tests.benchmarks.measure import Run, records, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan, stamps

# An endpoint that takes its time: what is measured is not how long a client takes to start.
_PACED = Plan(events=100, wait=0.3, gap=0.005)
_BURSTS = Plan(events=100, wait=0.3, gap=0.02, burst=10)


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        _delays(clients, options.runs)
        _writes(clients, options.runs)


def _delays(clients: Clients, runs: int) -> None:
    rows = []
    for framing in ("chunked", "length", "close"):
        plan = replace(_PACED, framing=framing)
        commands = {
            "llmcli": clients.llmcli(plan),
            "curl": clients.curl(plan),
            "a bare relay in Python": clients.relay(plan),
        }
        if framing == "chunked":  # what is framed in another way requests holds back
            commands["a bare script over requests"] = clients.packages(plan)
            commands["recv and write in Python"] = clients.relay(plan, "unread")
        found = side_by_side(commands, runs)
        rows += [(f"{name}, {framing}", *_summary(of)) for name, of in found.items()]
    report.heading(
        "From the server's write of a token to its reading from the client's stdout, ms",
        f"{_PACED.events} tokens, {_PACED.gap * 1000:.0f} ms apart, the first after "
        f"{_PACED.wait * 1000:.0f} ms, {runs} runs of each. The first, one in a hundred, is in a "
        "column of its own.",
    )
    report.table(("client, framing", "median", "99 %", "first token", "last token to exit"), rows)


def _summary(runs: list[Run]) -> list[str]:
    each = [_token_delays(run) for run in runs]
    if any(len(delays) != _PACED.events for delays in each):
        raise ValueError("tokens are missing")
    later = sorted(delay for _first, *delays in each for delay in delays)
    figures = (
        statistics.median(later),
        later[math.ceil(len(later) * 0.99) - 1],
        statistics.median(delays[0] for delays in each),
        statistics.median((run.end - stamps(run.output)[-1]) / 1e9 for run in runs),
    )
    return [report.milliseconds(figure, 2) for figure in figures]


def _token_delays(run: Run) -> list[float]:
    """Seconds. A token counts as read when the last byte of its text was."""
    delays: list[float] = []
    data = b""
    for moment, piece in run.reads:
        data += piece
        sent = stamps(data)
        delays += [(moment - one) / 1e9 for one in sent]
        data = data[data.rfind(b";") + 1 :] if sent else data
    return delays


def _writes(clients: Clients, runs: int) -> None:
    arrivals = _BURSTS.events // _BURSTS.burst
    rows = []
    for framing in ("chunked", "length"):
        plan = replace(_BURSTS, framing=framing)
        commands = {"llmcli": clients.llmcli(plan), "curl": clients.curl(plan)}
        for name, of in side_by_side(commands, runs, records).items():
            count = statistics.median(len(one.reads) for one in of)
            rows.append((f"{name}, {framing}", f"{count:g}", report.ratio(count / arrivals)))
    report.heading(
        "Writes to stdout for tokens that arrive together",
        f"{arrivals} times {_BURSTS.burst} tokens in one segment.",
    )
    report.table(("client, framing", "writes", "for each arrival"), rows)

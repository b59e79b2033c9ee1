"""From the start of a process to its end, where there is little to do in between."""

import statistics
import tempfile
from pathlib import Path

import certifi
import trustme

from tests.benchmarks import report
from tests.benchmarks.clients import Clients
from tests.benchmarks.endpoint import Endpoint, serving
from tests.benchmarks.measure import Command, Run, median_seconds, side_by_side
from tests.benchmarks.options import Options
from tests.benchmarks.replies import Plan, stamps

_BOTH = "(curl + bare Python)"
_PACKAGES = "a bare script over requests"
# The floor of what sends a request by http.client, if it has paths, types, JSON and amounts at all.
_LIBRARY = "the library's modules alone"
_BEFORE = (
    "import contextlib,decimal,enum,json,pathlib,queue,re,select,signal,socket,threading,typing"
)
_MODULES = f"{_BEFORE},http.client"


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as home, serving() as endpoint:
        clients = Clients(Path(home), endpoint)
        _without_request(clients, options.runs)
        _tiny(clients, options.runs)
        _first_request(clients, options.runs)
        _slow_server(clients, options.runs)
    _over_tls(options.runs)


def _without_request(clients: Clients, runs: int) -> None:
    plan = Plan()
    found = side_by_side(
        {
            "bare Python": clients.python(),
            "llmcli --version": clients.llmcli(plan, "--version"),
            "llmcli --help": clients.llmcli(plan, "--help"),
            "import requests, alone": clients.python("import requests"),
        },
        runs,
    )
    report.heading("Start and end, no request")
    report.ratios("command", median_seconds(found), "bare Python")


def _tiny(clients: Clients, runs: int) -> None:
    plan = Plan()
    beside = {
        "llmcli, LLMCLI_SHORT=0": clients.llmcli(plan, LLMCLI_SHORT="0"),
        "the same, but for dataclasses": clients.llmcli(plan, LLMCLI_SHORT="dataclasses"),
        _LIBRARY: clients.python(_MODULES),
        _PACKAGES: clients.packages(plan),
        "that script, all packages loaded": clients.all_packages(plan),
        "bare Python": clients.python(),
        "curl": clients.curl(plan),
    }
    found = median_seconds(side_by_side({**clients.all(plan), **beside}, runs))
    report.heading("A completion of 10 events, start to end", _server_share(clients.endpoint, plan))
    report.ratios("client", _with_both(found), _BOTH)


def _with_both(found: dict[str, float]) -> dict[str, float]:
    """The least that a program in Python that asks a server could take."""
    return {**found, _BOTH: found["curl"] + found["bare Python"]}


def _server_share(endpoint: Endpoint, plan: Plan) -> str:
    alone = endpoint.alone(plan, requests=500)
    return f"Of each time the server's part, as a bare socket sees it: {alone * 1000:.2f} ms."


def _first_request(clients: Clients, runs: int) -> None:
    plan = Plan(gap=0.001)  # whose first token is the time at which the request was read
    asking = {"llmcli": clients.llmcli(plan), "curl": clients.curl(plan)}
    floors = {"bare Python": clients.python(), _LIBRARY: clients.python(_BEFORE)}
    found = side_by_side({**floors, **asking}, runs)
    medians = median_seconds({name: found[name] for name in floors})
    for name in asking:
        medians[name] = statistics.median(_until_request(run) for run in found[name])
    report.heading("Start to the request's arrival at the server", "Both of Python: start to end.")
    report.ratios("client", medians, "bare Python")


def _until_request(run: Run) -> float:
    return (stamps(run.output)[0] - run.begin) / 1e9


def _slow_server(clients: Clients, runs: int) -> None:
    plan = Plan(wait=0.2)
    commands = {
        "curl": clients.curl(plan),
        "llmcli": clients.llmcli(plan),
        _PACKAGES: clients.packages(plan),
    }
    report.heading("A completion from a server that takes 200 ms, start to end")
    report.ratios("client", median_seconds(side_by_side(commands, runs)), "curl")


def _over_tls(runs: int) -> None:
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own, public, certificate = folder / "own.pem", folder / "public.pem", folder / "server.pem"
        authority.cert_pem.write_to_path(own)
        public.write_bytes(Path(certifi.where()).read_bytes() + own.read_bytes())
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        with serving(certificate) as endpoint:
            clients = Clients(folder, endpoint)
            _trusting(public, "the public authorities, as any user has them", clients, runs)
            _trusting(own, "one authority alone", clients, runs)


def _trusting(bundle: Path, whom: str, clients: Clients, runs: int) -> None:
    commands: dict[str, Command] = {
        "llmcli": clients.llmcli(Plan(), LLMCLI_CA_FILE=str(bundle)),
        _PACKAGES: clients.packages(Plan(), REQUESTS_CA_BUNDLE=str(bundle)),
        "bare Python": clients.python(),
        "curl": clients.curl(Plan(), "--cacert", str(bundle)),
    }
    found = median_seconds(side_by_side(commands, runs))
    report.heading(f"The same over HTTPS, trusting {whom}")
    report.ratios("client", _with_both(found), _BOTH)

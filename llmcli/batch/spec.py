"""What the workers of `map` need, as it is sent to them, and the Answerer they make of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.batch.rate_limit import Pace
from llmcli.batch.worker import Answerer, How
from llmcli.config import headers
from llmcli.config.options import AccountOptions
from llmcli.config.settings import Settings
from llmcli.spending import account as accounts
from llmcli.spending.account import Purpose
from llmcli.system.dataclass import dataclass, replace
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.tools.definition import Toolbox
    from llmcli.tools.runner import Runner


@dataclass(frozen=True)
class Caps:
    """Most at once, and most requests and tokens a minute."""

    workers: int
    rpm: float | None
    tpm: int | None

    def of_one_in(self, processes: int, threads: int) -> "Caps":
        """The part of one of so many, which has so many threads."""
        rpm = None if self.rpm is None else self.rpm / processes
        tpm = None if self.tpm is None else max(self.tpm // processes, 1)
        return Caps(threads, rpm, tpm)


@dataclass(frozen=True)
class Work:
    """It can be pickled, and holds no key: a worker has its own."""

    settings: Settings
    account: AccountOptions
    chosen: Connection
    how: How
    toolbox: "Toolbox | None"
    strict_tools: bool
    caps: Caps

    def of_one_in(self, processes: int, threads: int) -> "Work":
        """As `Caps.of_one_in`; what may be spent is shared out as well."""
        usd = self.account.max_cost
        account = replace(self.account, max_cost=None if usd is None else usd / processes)
        return replace(self, account=account, caps=self.caps.of_one_in(processes, threads))

    def without_secrets(self) -> "Work":
        own: Mapping[str, str] = self.settings.headers
        safe = {name: value for name, value in own.items() if not headers.is_secret(name)}
        return replace(self, settings=replace(self.settings, headers=safe))


def answerer(environment: Environment, work: Work, finished: bool = True) -> Answerer:
    """`finished`: it will be told when nothing more is to be answered. Raises ConfigError,
    UsageError."""
    purpose = Purpose("map", work.chosen.model, work.chosen.base_url, many=finished)
    payer = accounts.account(environment, work.settings, work.account, purpose)
    backend = connect.open_backend(
        environment, work.settings, work.chosen, workers=work.caps.workers
    )
    pace = Pace(work.caps.workers, work.caps.rpm, work.caps.tpm)
    return Answerer(environment, work.how, backend, payer, pace, _runner(environment, work))


def _runner(environment: Environment, work: Work) -> "Runner | None":
    if work.toolbox is None or work.how.check_calls:
        return None
    from llmcli.tools.runner import Runner, ToolPolicy

    return Runner(environment, work.toolbox, ToolPolicy(strict=work.strict_tools))

"""What the workers of `map` need, in a form that can be sent to other machines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmcli.backends import connect
from llmcli.backends.connect import Connection
from llmcli.batch.pace.rate_limit import Pace
from llmcli.batch.worker import Answerer, RecordRules
from llmcli.config import headers
from llmcli.config.options import AccountOptions
from llmcli.config.settings import Settings
from llmcli.spending import account as accounts
from llmcli.spending.account import Account, Purpose
from llmcli.system.dataclass import dataclass, replace
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.tools.definition import Toolbox
    from llmcli.tools.runner import Runner


@dataclass(frozen=True)
class Caps:
    """The limits of a run: requests at once, requests a minute, tokens a minute.

    None means that there is no such limit.
    """

    workers: int
    rpm: float | None
    tpm: int | None

    def share(self, processes: int) -> "Caps":
        """Return the limits of one of `processes` equal workers."""
        rpm = None if self.rpm is None else self.rpm / processes
        tpm = None if self.tpm is None else max(self.tpm // processes, 1)
        return Caps(self.workers, rpm, tpm)


@dataclass(frozen=True)
class Work:
    """All that a worker needs to answer the records of a run.

    It can be pickled. It has no key: a worker on another machine finds its own. `toolbox` has the
    tools that the model may call; with `strict_tools` a tool that fails ends the answer.
    """

    settings: Settings
    account: AccountOptions
    chosen: Connection
    rules: RecordRules
    toolbox: "Toolbox | None"
    strict_tools: bool
    caps: Caps

    def share(self, processes: int) -> "Work":
        """Return the work of one of `processes` equal workers.

        Each asks as many records at once as one process does; the limits are its part of the whole.
        """
        return replace(self, caps=self.caps.share(processes))

    def without_secrets(self) -> "Work":
        """Return the work without the headers that look like secrets."""
        own: Mapping[str, str] = self.settings.headers
        safe = {name: value for name, value in own.items() if not headers.is_secret(name)}
        return replace(self, settings=replace(self.settings, headers=safe))


def answerer(environment: Environment, work: Work) -> Answerer:
    """Return the answerer for the records of a run in this process; `finish` must be called.

    Raises ConfigError where the settings do not allow a request, UsageError for an option that is
    not valid.
    """
    payer = account_of(environment, work)
    own = answerer_for(environment, work, payer)
    own.tell_pauses()
    return own


def account_of(environment: Environment, work: Work) -> Account:
    """Return the account of a run, whose ledger may write lines together.

    Raises ConfigError and UsageError as `answerer` does.
    """
    purpose = Purpose("map", work.chosen.model, work.chosen.base_url, many=True)
    payer = accounts.account(environment, work.settings, work.account, purpose)
    if payer.spent and payer.recorded:
        # Here, as the first time may take long, and the threads would wait for each other.
        payer.spent.prepare()
    return payer


def answerer_for(environment: Environment, work: Work, payer: Account) -> Answerer:
    """Return an answerer whose requests `payer` pays for. Raises ConfigError as `answerer` does."""
    backend = connect.open_backend(
        environment, work.settings, work.chosen, workers=work.caps.workers
    )
    pace = Pace(work.caps.rpm, work.caps.tpm)
    return Answerer(environment, work.rules, backend, payer, pace, _runner(environment, work))


def _runner(environment: Environment, work: Work) -> "Runner | None":
    """Return the runner of tools; None without --run-tools, where calls are left to the caller."""
    if work.toolbox is None or work.rules.demands.check_calls:
        return None
    from llmcli.tools.runner import Runner, ToolPolicy  # noqa: PLC0415  # for --run-tools only

    return Runner(environment, work.toolbox, ToolPolicy(strict=work.strict_tools))

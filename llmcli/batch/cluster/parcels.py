"""What goes to a worker of a cluster, and what comes back; all of it can be pickled."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from llmcli.api.models import Model
from llmcli.api.reply.cost import Cost, Price
from llmcli.batch.spec import Work
from llmcli.batch.task import Outcome, Task
from llmcli.spending.ledger import Labels, Settlement
from llmcli.system.dataclass import dataclass


@dataclass(frozen=True)
class Payer:
    """What a worker must know to price the requests to one model, as this machine knows it."""

    labels: Labels
    model: Model | None
    price: Price | None
    recorded: bool


@dataclass(frozen=True)
class Order:
    """A record to be answered. Its requests may cost `most` USD in all; None is no limit."""

    task: Task
    most: Decimal | None


@dataclass(frozen=True)
class Parcel:
    """Records that one worker asks side by side.

    `run` is the name of the run, and `number` that of the batch in it. `payers` stand by the name
    of their model. `succeeded` is True once a request of the run was answered, by any worker.
    """

    run: str
    number: int
    work: Work
    orders: Sequence[Order]
    payers: Mapping[str, Payer]
    succeeded: bool


@dataclass(frozen=True)
class Charge:
    """A request of a worker, for the ledger of the machine that the run was begun on."""

    labels: Labels
    estimate: Cost
    settlement: Settlement


@dataclass(frozen=True)
class Answered:
    """What came of the order at `position` of a batch.

    `outcome` is without its task, to which nothing was added; it is None if the record was not
    asked as the run is ending. `spent` is in USD. `seconds` is how long it took.
    """

    position: int
    outcome: Outcome | None
    charges: Sequence[Charge]
    spent: Decimal
    seconds: float

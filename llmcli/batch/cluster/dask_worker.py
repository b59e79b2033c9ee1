"""What a Dask worker runs for `map --cluster`; llmcli must be installed there.

Payloads are pickled here and not by Dask, so that a batch is opened only where it is answered.
"""

import pickle

from distributed import get_worker, secede

from llmcli.batch.cluster.parcels import Answered, Parcel
from llmcli.batch.cluster.station import Stations
from llmcli.errors import LlmcliError

_stations = Stations()


def topic(run: str) -> str:
    """Return the name of the events that say which worker has begun which batch of a run."""
    return f"llmcli-{run}"


def answer(payload: bytes) -> bytes:
    """Answer a pickled batch; return what `results` reads."""
    batch: Parcel = pickle.loads(payload)
    worker = get_worker()
    worker.log_event(topic(batch.run), [batch.number, worker.address])
    answers: list[Answered] = []
    refusal: LlmcliError | None = None
    try:
        # Once some threads have nothing to do, this task leaves its place to the next one.
        _stations.of(batch).answer(batch, answers.append, secede)
    except LlmcliError as error:
        refusal = error
    return pickle.dumps((worker.address, refusal, answers))


def results(payload: bytes) -> tuple[str, LlmcliError | None, list[Answered]]:
    """Return the address of the worker, why it refuses to work for the run, and its answers."""
    address, refusal, answers = pickle.loads(payload)
    return address, refusal, answers


def stop(run: str) -> None:
    """Send no more requests for a run."""
    _stations.stop(run)


def forget(run: str) -> None:
    """Close what this worker keeps for a run that has ended."""
    _stations.forget(run)

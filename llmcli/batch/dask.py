"""Workers on other machines: a running Dask cluster takes the place of threads.

Each worker has llmcli installed, and its own key: none is sent. Dask runs what a dead worker had
elsewhere.
"""

import logging
import os
import pickle
import threading
import warnings
from functools import partial

from llmcli.batch.ordered_map import nothing
from llmcli.batch.run import Workers
from llmcli.batch.spec import Work, answerer
from llmcli.batch.worker import Answerer, Outcome, Task
from llmcli.errors import HOW_TO_INSTALL, ConfigError, NetworkError
from llmcli.system.environment import Environment

_PATIENCE = 10.0
_answerers: dict[bytes, Answerer] = {}
_making = threading.Lock()


def workers(work: Work, address: str) -> Workers:
    """Raises ConfigError, NetworkError."""
    try:
        from distributed import Client
    except ImportError:
        problem = "--cluster needs Dask's distributed, which is not installed"
        raise ConfigError(problem, hint=HOW_TO_INSTALL.format("cluster")) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what fails, we say
    warnings.simplefilter("ignore")
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
        threads = list(client.nthreads().values())
    except (OSError, ValueError, TimeoutError) as error:
        raise NetworkError(f"no Dask scheduler at {address}: {error}") from None
    if not threads:
        raise NetworkError(f"the Dask cluster at {address} has no workers")
    part = work.without_secrets().of_one_in(len(threads), max(threads))
    return Workers(
        partial(answer, pickle.dumps(part)),
        nothing,
        client.get_executor(pure=False),
        sum(threads),
        cancels=False,
    )


def answer(work: bytes, task: Task) -> Outcome | None:
    """Runs in a worker, which keeps its connections from task to task."""
    with _making:
        if work not in _answerers:
            _answerers[work] = answerer(Environment(os.environ), pickle.loads(work), finished=False)
    return _answerers[work](task)

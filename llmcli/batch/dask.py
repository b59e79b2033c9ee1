"""Workers on other machines: with --cluster, a running Dask cluster takes the place of threads.

llmcli must be installed on each worker, and each worker uses the key of its own environment: no key
is sent to it. If a worker dies, Dask gives its records to another one.
"""

import logging
import os
import pickle
import threading
import warnings
from functools import partial

from llmcli.batch.ordered_map import do_nothing
from llmcli.batch.run import Workers
from llmcli.batch.spec import Work, answerer
from llmcli.batch.task import Outcome, Task
from llmcli.batch.worker import Answerer
from llmcli.errors import ConfigError, NetworkError
from llmcli.system.environment import Environment
from llmcli.system.extras import how_to_install

# Seconds in which the scheduler must answer.
_PATIENCE = 10.0
# On a worker: the answerer of each run, by its pickled Work, so that connections are kept from one
# record to the next.
_answerers: dict[bytes, Answerer] = {}
# Held while an answerer is made: the threads of a worker begin at the same time.
_making = threading.Lock()


def workers(work: Work, address: str) -> Workers:
    """Return the workers of the cluster whose scheduler is at `address`.

    They share the limits of requests, tokens and cost equally. Raises ConfigError where Dask is not
    installed, NetworkError where the scheduler does not answer or has no workers.
    """
    try:
        from distributed import Client  # noqa: PLC0415  # an extra that need not be installed
    except ImportError:
        problem = "--cluster needs Dask's distributed, which is not installed"
        raise ConfigError(problem, hint=how_to_install("cluster")) from None
    # Dask logs and warns about lost connections on stderr; llmcli reports failures itself.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
        threads = list(client.nthreads().values())
    except (OSError, ValueError, TimeoutError) as error:
        raise NetworkError(f"no Dask scheduler at {address}: {error}") from None
    if not threads:
        raise NetworkError(f"the Dask cluster at {address} has no workers")
    share = work.without_secrets().share(len(threads), max(threads))
    return Workers(
        partial(answer, pickle.dumps(share)),
        do_nothing,
        # Not pure: Dask would ask only once for tasks that are equal, and hand out one answer.
        client.get_executor(pure=False),
        sum(threads),
        can_cancel=False,
    )


def answer(work: bytes, task: Task) -> Outcome | None:
    """Answer a task on a worker of the cluster; `work` is the pickled Work of the run."""
    with _making:
        if work not in _answerers:
            environment = Environment(os.environ)
            _answerers[work] = answerer(environment, pickle.loads(work), will_finish=False)
    return _answerers[work](task)

"""Workers on other machines: those of a running Dask cluster.

llmcli must be installed on each worker, and each worker uses the key of its own environment: no key
is sent to it. Which worker asks a batch, and who takes over the batches of one that died, is
left to Dask.
"""

import logging
import pickle
import threading
import time
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from typing import Any

from llmcli.batch.cluster.crew import Desk
from llmcli.batch.cluster.parcels import Answered, Parcel
from llmcli.errors import AuthError, ConfigError, LlmcliError, NetworkError, UsageError
from llmcli.system.environment import Environment
from llmcli.system.extras import how_to_install

# Seconds between two looks at the workers, and for which the scheduler may be silent.
_PERIOD, _SILENCE = 0.5, 20.0
# Seconds without any worker after which the run ends. A nanny makes a new one in a few.
_NO_WORKERS = 20.0
# Seconds in which the workers hear that the run ends. If they do not, they end by themselves.
_FAREWELL = 3.0
# Results that are fetched from workers at the same time.
_FETCHES = 8
_PACKAGE = "llmcli"


class DaskWorkers:
    """The workers of the cluster whose scheduler is at `address`.

    It must answer, and have a worker, within `patience` seconds. With `limited` no more workers
    are used than there are at the start, as they have shared out the limits of requests and tokens.
    Raises ConfigError where Dask is not installed or no worker can be used, UsageError for an
    address that is none, NetworkError where the scheduler does not answer or has no workers.
    """

    def __init__(
        self, environment: Environment, address: str, patience: float, *, limited: bool
    ) -> None:
        self._note = environment.note
        self._address = address
        self._client = _connect(address, patience)
        # The workers that can be used, and those that were looked at, by their addresses.
        self._usable: set[str] = set()
        self._known: set[str] = set()
        self._problem: LlmcliError | None = None
        self._most = float("inf")
        self._await_workers(patience)
        if limited:
            self._most = len(self._usable)
        self._run = ""
        # The futures of the batches, and the workers that may ask them, by the number of the batch.
        self._futures: dict[int, tuple[Any, frozenset[str]]] = {}
        self._begun: set[int] = set()
        self._closed = False
        self._threads = ThreadPoolExecutor(_FETCHES)

    def count(self) -> int:
        """Return how many workers can be used now."""
        return len(self._usable)

    def start(self, desk: Desk) -> None:
        """Report to `desk` from now on."""
        self._desk = desk
        threading.Thread(target=self._watch, daemon=True).start()

    def send(self, batch: Parcel) -> None:
        """Hand a batch to the scheduler."""
        from llmcli.batch.cluster import dask_worker  # noqa: PLC0415  # imports Dask

        try:
            if not self._run:
                self._run = batch.run
                self._client.subscribe_topic(dask_worker.topic(batch.run), self._has_begun)
            allowed = frozenset(self._usable)
            future = self._client.submit(
                dask_worker.answer,
                pickle.dumps(batch),
                key=f"llmcli-{batch.run}-{batch.number}",
                pure=False,
                workers=sorted(allowed),
            )
            self._futures[batch.number] = future, allowed
            future.add_done_callback(
                lambda done: self._threads.submit(self._take_in, batch.number, done)
            )
        except Exception as error:  # noqa: BLE001  # of many kinds, as the client has closed
            self._gone(error)

    def stop(self) -> None:
        """Let the workers send no more requests, and those under way end."""
        threading.Thread(target=self._tell_all, args=("stop",), daemon=True).start()

    def close(self) -> None:
        """Leave the workers, which forget the run."""
        if self._closed:
            return
        self._closed = True

        def leave() -> None:
            self._tell_all("forget")
            self._client.close(timeout=_FAREWELL)

        # A thread, as it may hang where the scheduler has gone. The process does not wait for it.
        leaving = threading.Thread(target=leave, daemon=True)
        leaving.start()
        leaving.join(_FAREWELL)

    def _tell_all(self, function: str) -> None:
        from llmcli.batch.cluster import dask_worker  # noqa: PLC0415  # imports Dask

        if self._run:
            self._call_all(getattr(dask_worker, function), self._run, workers=self._usable)

    def _call_all(
        self, function: Any, *arguments: Any, workers: Iterable[str]
    ) -> dict[str, Any] | None:
        """Return what `function` returns or raises on each worker; None if that takes long."""
        try:
            found: dict[str, Any] = self._client.sync(
                self._client.run,
                function,
                *arguments,
                workers=sorted(workers),
                on_error="return",
                callback_timeout=_FAREWELL,
            )
        except Exception:  # noqa: BLE001  # of many kinds, as the connection has broken
            return None
        return found

    # The workers that there are:

    def _await_workers(self, patience: float) -> None:
        until = time.monotonic() + patience
        while not self._usable:
            self._look(max(until - time.monotonic(), 0.1))
            if not self._usable and time.monotonic() > until:
                nobody = NetworkError(f"the Dask cluster at {self._address} has no workers")
                raise self._problem or nobody
            if not self._usable:
                if self._problem:
                    raise self._problem
                time.sleep(0.1)

    def _look(self, patience: float) -> set[str]:
        """Find out which workers there are, and return their addresses. Raises NetworkError."""
        try:
            if self._client.status != "running":
                # Where the connection was lost, Dask has given up all that was under way.
                raise NetworkError("its connection is lost")
            ncores = self._client.scheduler.ncores
            present = set(self._client.sync(ncores, callback_timeout=patience))
        except TimeoutError:
            silent = TimeoutError(f"no answer within {patience:g} s")
            raise _no_scheduler(self._address, silent) from None
        except Exception as error:  # noqa: BLE001  # of many kinds, as the connection has broken
            raise _no_scheduler(self._address, error) from None
        self._usable &= present
        self._known &= present
        if new := present - self._known:
            self._check(new)
        return present

    def _check(self, new: set[str]) -> None:
        """Use the new workers that have the same version of llmcli, and say which are left out."""
        own = metadata.version(_PACKAGE)
        # A function of the standard library, as a worker may not have llmcli.
        versions = self._call_all(metadata.version, _PACKAGE, workers=new) or {}
        for address, version in versions.items():
            self._known.add(address)
            if version == own:
                if len(self._usable) < self._most:
                    self._usable.add(address)
            elif isinstance(version, metadata.PackageNotFoundError):
                self._leave_out(address, ConfigError("llmcli is not installed there"))
            elif isinstance(version, str):
                other = f"it has llmcli {version}, and this is {own}"
                self._leave_out(address, ConfigError(other))

    def _leave_out(self, address: str, error: LlmcliError) -> None:
        self._usable.discard(address)
        self._problem = error.replaced(message=f"worker {address}: {error.message}")
        self._note(f"worker {address} is left out: {error}")

    def _watch(self) -> None:
        since = time.monotonic()
        while not self._closed:
            time.sleep(_PERIOD)
            try:
                present = self._look(_SILENCE)
            except NetworkError as error:
                self._gone(error)
                return
            self._call_back(present)
            if self._usable:
                since = time.monotonic()
            elif present and present <= self._known and self._problem:
                self._gone(self._problem)
            elif time.monotonic() - since > _NO_WORKERS:
                self._gone(NetworkError(f"the Dask cluster at {self._address} has no workers left"))

    def _gone(self, error: BaseException) -> None:
        if self._closed:
            return
        known = isinstance(error, LlmcliError)
        self._desk.gone(error if known else _no_scheduler(self._address, error))  # type: ignore[arg-type]

    def _call_back(self, present: set[str]) -> None:
        """Take back the batches of which all workers have died that may ask them."""
        for number, (future, allowed) in list(self._futures.items()):
            if not allowed & present and number in self._futures:
                del self._futures[number]
                future.cancel()
                self._desk.lost(number)

    # What becomes of batches:

    def _has_begun(self, event: tuple[float, Any]) -> None:
        """Note that a worker has begun a batch. Called by Dask, which must not be kept waiting."""
        number = event[1][0]
        if number in self._begun:
            self._threads.submit(self._desk.repeated, number)
        self._begun.add(number)

    def _take_in(self, number: int, future: Any) -> None:
        from llmcli.batch.cluster import dask_worker  # noqa: PLC0415  # imports Dask

        if future.status == "cancelled":
            return  # called back, or the scheduler has gone, which `_watch` notices
        try:
            address, refusal, answers = dask_worker.results(future.result())
        except Exception as error:  # noqa: BLE001  # whatever Dask or the worker raised
            if self._futures.pop(number, None) and self._client.status == "running":
                self._desk.failed(number, error)
            return
        if self._futures.pop(number, None) is None:
            return
        # A key that is refused is that of one worker; another one asks these records.
        refused = [answer for answer in answers if _refused_key(answer)]
        refusal = next(filter(None, map(_refused_key, refused)), refusal)
        if refusal and address in self._usable:
            self._leave_out(address, refusal)
        self._desk.answered(number, [answer for answer in answers if answer not in refused])
        self._desk.ended(number)


def _refused_key(answer: Answered) -> AuthError | None:
    error = answer.outcome.error if answer.outcome else None
    return error if isinstance(error, AuthError) else None


def _connect(address: str, patience: float) -> Any:
    """Return a client of the scheduler. Raises ConfigError, UsageError and NetworkError."""
    try:
        from distributed import Client  # noqa: PLC0415  # an extra that need not be installed
    except ImportError:
        problem = "--cluster needs Dask's distributed, which is not installed"
        raise ConfigError(problem, hint=how_to_install("cluster")) from None
    # Dask logs and warns about lost connections on stderr; llmcli reports failures itself.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if not address.rpartition(":")[2].isdecimal():
        problem = f"--cluster {address!r}: it must be local, local:N or the address of a scheduler"
        raise UsageError(problem, hint="such as tcp://scheduler:8786")
    connecting = partial(Client, address, timeout=patience, set_as_default=False)
    try:
        return _within(patience, connecting)
    except (OSError, ValueError, TimeoutError) as error:
        raise _no_scheduler(address, error) from None


def _within(seconds: float, make: Any) -> Any:
    """Return what `make` returns. Raises what it raises, and TimeoutError after `seconds`."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(make).result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    finally:
        pool.shutdown(wait=False)


def _no_scheduler(address: str, error: BaseException) -> NetworkError:
    why = str(error) or "it does not answer"
    return NetworkError(f"no Dask scheduler at {address}: {why}")

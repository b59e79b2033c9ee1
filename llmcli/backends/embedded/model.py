"""The backend for a model in this process: llama.cpp, through xllamacpp.

xllamacpp takes and returns the shapes of OpenAI's API, so nothing is translated here.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmcli.api.trace import Trace
from llmcli.api.types import DONE, ChatRequest, Chunk
from llmcli.backends.embedded import smollm2
from llmcli.backends.embedded.weights import CONTEXT
from llmcli.backends.stream import Stream
from llmcli.backends.thread import Put, in_thread
from llmcli.errors import BadRequest, ConfigError, NoInput
from llmcli.system.files.regular import open_regular

# In tokens: a small model may repeat itself without end.
_MOST_TOKENS = 2048


class EmbeddedModel:
    """A model in this process, which is loaded from a GGUF file by the first request.

    `weights` is the path of the file, `name` the name of the model in its answers. `small` is for
    the embedded model, to which the settings of `smollm2` are applied.
    """

    def __init__(self, weights: Path, name: str, *, small: bool = False) -> None:
        self._weights = weights
        self._name = name
        self._small = small
        self._server: Any = None
        # The threads of `map` share one model; the first of them loads it.
        self._loading = threading.Lock()

    def stream(self, trace: Trace) -> Stream:
        """Return the stream of one call; each request is an attempt in `trace`.

        The stream raises ConfigError or NoInput if the file cannot be loaded, BadRequest if the
        runtime refuses the request, and TimedOut at the deadline of the call.
        """

        def chunks(request: ChatRequest) -> Iterator[list[Chunk]]:
            trace.begin_attempt()
            trace.sent = True
            trace.log(f"model {self._name} from {self._weights}")
            trace.stage(f"the answer of {self._name} is not complete")

            def produce(put: Put[Chunk]) -> None:
                adapted = smollm2.adapt(request) if self._small else request
                _answer(self._loaded(), adapted, put)

            def patience() -> float | None:
                left = trace.time_left(f"the answer of {self._name} is not complete")
                return None if left == float("inf") else left

            for chunk in in_thread(produce, patience):
                yield [chunk]

        return chunks

    def _loaded(self) -> Any:
        with self._loading:
            if self._server is None:
                self._server = _load(self._weights, self._name, small=self._small)
            return self._server


def _answer(server: Any, request: ChatRequest, put: Put[Chunk]) -> None:
    try:
        if request.get("stream"):
            server.handle_chat_completions(request, put)  # ends when put() returns True
        else:
            put(server.handle_chat_completions(request))
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error)
        if "image input is not supported" in reason:
            reason = "it cannot see images"
        raise BadRequest(f"the embedded model refuses the request: {reason}") from None
    put(DONE)


def _load(weights: Path, name: str, *, small: bool) -> Any:
    """Return a server of xllamacpp with the model in it. Raises ConfigError and NoInput."""
    check_weights(weights)
    import xllamacpp  # noqa: PLC0415  # an extra, and slow to load

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.model_alias = {name}
    parameters.n_ctx = CONTEXT
    # Half of the cores: on a machine with two, one thread is the robust setting, as two of them
    # wait for each other.
    threads = max(1, (os.cpu_count() or 1) // 2)
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.n_predict = _MOST_TOKENS
    if small:
        smollm2.prepare(parameters)
    parameters.verbosity = -1
    # The runtime always opens a port, which is not used here. So that no other program can use it
    # either, it is on loopback, and its key is random and stored nowhere.
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.ui = False
    parameters.endpoint_slots = False
    try:
        return xllamacpp.Server(parameters)
    except RuntimeError:
        hint = "the file may be incomplete"
        raise ConfigError(f"{weights} cannot be loaded as a model", hint=hint) from None


def check_weights(weights: Path) -> None:
    """Raise an error that says what is wrong unless `weights` can be read and is a GGUF file.

    The errors of the runtime itself do not tell these cases apart. Raises NoInput if the file does
    not exist, ConfigError if it cannot be read or does not begin with GGUF's magic number.
    """
    try:
        with open_regular(weights) as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise NoInput(f"the model file {weights} does not exist") from None
    except (OSError, ValueError) as error:  # ValueError: the path has a NUL
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the model {weights}: {reason}") from None
    if magic != b"GGUF":
        raise ConfigError(f"{weights} is not a GGUF file")

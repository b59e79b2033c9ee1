"""A model inside the process: llama.cpp through xllamacpp, which speaks OpenAI's shapes itself."""

import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmcli.api.trace import Trace
from llmcli.api.types import DONE, ChatRequest, Chunk
from llmcli.backends.embedded import smollm2
from llmcli.backends.stream import Stream
from llmcli.backends.thread import Put, in_thread
from llmcli.errors import BadRequest, ConfigError, NoInput

# As much as the embedded model was trained for; more only costs memory.
_CONTEXT = 8192
# A small model may repeat itself without end.
_MOST_TOKENS = 2048


class EmbeddedModel:
    """The backend for the GGUF file `weights`, answering as model `name`. It is loaded once.

    `small`: a model that needs help against repeating itself; a request may say otherwise.
    """

    def __init__(self, weights: Path, name: str, small: bool = False) -> None:
        self._weights = weights
        self._name = name
        self._small = small
        self._server: Any = None
        self._loading = threading.Lock()

    def stream(self, trace: Trace) -> Stream:
        def chunks(request: ChatRequest) -> Iterator[list[Chunk]]:
            trace.begin_attempt()
            trace.sent = True
            trace.log(f"model {self._name} from {self._weights}")
            trace.stage(f"the answer of {self._name} is not complete")

            def produce(put: Put[Chunk]) -> None:
                asked = smollm2.adapt(request) if self._small else request
                _answer(self._loaded(), asked, put)

            def patience() -> float | None:
                left = trace.time_left(f"the answer of {self._name} is not complete")
                return None if left == float("inf") else left

            for chunk in in_thread(produce, patience):
                yield [chunk]

        return chunks

    def _loaded(self) -> Any:
        with self._loading:
            if self._server is None:
                self._server = _load(self._weights, self._name, self._small)
            return self._server


def _answer(server: Any, request: ChatRequest, put: Put[Chunk]) -> None:
    try:
        if request.get("stream"):
            server.handle_chat_completions(request, put)  # stops where `put` returns True
        else:
            put(server.handle_chat_completions(request))
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error)
        if "image input is not supported" in reason:
            reason = "it cannot see images"
        raise BadRequest(f"the embedded model refuses the request: {reason}") from None
    put(DONE)


def _load(weights: Path, name: str, small: bool) -> Any:
    """The runtime with `weights` in it. Raises ConfigError."""
    check_weights(weights)
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.model_alias = {name}
    parameters.n_ctx = _CONTEXT
    # One thread is the robust setting on two cores: more of them wait for each other.
    threads = max(1, (os.cpu_count() or 1) // 2)
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.n_predict = _MOST_TOKENS
    if small:
        smollm2.prepare(parameters)
    parameters.verbosity = -1
    # The runtime insists on a port: loopback, chosen by the system, behind a key nobody knows.
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.ui = False
    parameters.endpoint_slots = False
    try:
        return xllamacpp.Server(parameters)
    except RuntimeError:
        raise ConfigError(f"{weights} cannot be loaded as a model", hint="is it whole?") from None


def check_weights(weights: Path) -> None:
    """The runtime's own words say little. Raises ConfigError, NoInput."""
    try:
        with weights.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise NoInput(f"there is no model file {weights}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the model {weights}: {reason}") from None
    if magic != b"GGUF":
        raise ConfigError(f"{weights} is not a GGUF file")

"""Where chunks come from: an HTTP endpoint, or a model inside the process, behind one seam."""

from collections.abc import Callable, Iterator

from llmcli.api.types import ChatRequest, Chunk

# A backend: the body of a request in, the chunks of the answer out, in OpenAI's own shapes, those
# that are there at the same time together. DONE is passed on where the server sends it. Raises
# LlmcliError.
Stream = Callable[[ChatRequest], Iterator[list[Chunk]]]

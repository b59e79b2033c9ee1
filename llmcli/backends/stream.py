"""The type of a stream: the function through which every backend answers a request."""

from collections.abc import Callable, Iterator

from llmcli.api.types import ChatRequest, Chunk

# A stream takes the body of a Chat Completions request and yields the chunks of the answer, in the
# shapes of OpenAI's API. Each list has the chunks that arrived together; the chunk DONE stands for
# the `[DONE]` of the server. A stream raises LlmcliError.
Stream = Callable[[ChatRequest], Iterator[list[Chunk]]]

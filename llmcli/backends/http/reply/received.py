"""A reply as the rest of the program gets it: its head, then its body in pieces."""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from llmcli.backends.http import errors
from llmcli.errors import LlmcliError
from llmcli.system.dataclass import dataclass

if TYPE_CHECKING:
    from llmcli.backends.http.reply.response import Response


@dataclass(frozen=True)
class Head:
    """The status code of a reply, and its header fields, found by names in lower or upper case."""

    status: int
    headers: Mapping[str, str]


# Yields the head of a reply, then its body in pieces as they arrive.
Received = Generator[Head | bytes, None, None]


def received(response: "Response", idle_timeout: float) -> Received:
    """Yield the head of `response`, which has been read, and then its body.

    Raises an LlmcliError if the reply breaks off; `idle_timeout` is the silence, in seconds, that
    its message names.
    """
    yield Head(response.status, response.headers)  # type: ignore[arg-type]
    try:
        while block := response.read_block():
            yield block
    except LlmcliError:
        raise
    except Exception as error:
        raise errors.in_answer(error, idle_timeout) from error

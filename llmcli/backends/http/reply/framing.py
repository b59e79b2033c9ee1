"""The length of a reply, where its head is at odds with itself."""

import re
from http.client import HTTPException, HTTPResponse

_NUMBER = re.compile("[0-9]{1,18}")


def settle_length(response: HTTPResponse) -> None:
    """Make sure that the head of `response`, which has been read, gives the length in one way.

    http.client takes the first Content-Length, and reads to the end of the connection if that is
    not a number. Raises HTTPException if a good reply has two different lengths, or one that is not
    a number (RFC 9112, section 6.3). Of an error the status counts, and the shortest length.
    """
    given = response.headers.get_all("Content-Length") or []
    # In their order, each once.
    lengths = list(dict.fromkeys(part.strip() for field in given for part in field.split(",")))
    if not lengths or (len(given) == 1 and given[0].isascii() and given[0].isdecimal()):
        return
    del response.headers["Content-Length"]
    if response.chunked:
        return  # the chunks frame the body, whatever else is said
    numbers = sorted(int(text) for text in lengths if _NUMBER.fullmatch(text))
    is_error = response.status >= 400
    if not is_error and (len(lengths) > 1 or not numbers):
        raise HTTPException(f"Content-Length is {' and '.join(lengths)}")
    if numbers:
        response.length = numbers[0]
        response.headers["Content-Length"] = str(numbers[0])

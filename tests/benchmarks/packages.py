"""The least that a client over requests and sseclient-py does: it loads them, asks, writes what
each block of the answer holds, and leaves at its end. No check is in it, no error and no money.
"""

import json
import os
import sys

import requests
from sseclient import SSEClient


def main(url: str, body: bytes) -> None:
    rest = b""
    for block in requests.post(url, data=body, stream=True).iter_content(None):
        whole, found, rest = (rest + block).rpartition(b"\n\n")
        events = SSEClient(iter((whole,))).events() if found else ()
        os.write(1, "".join(_text(e.data) for e in events if e.data.startswith("{")).encode())
        if b"[DONE]" in whole:
            os._exit(0)


def _text(data: str) -> str:
    delta = json.loads(data)["choices"][0]["delta"]
    return delta.get("content") or ""


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].encode())

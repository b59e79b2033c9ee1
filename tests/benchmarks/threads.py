"""The least that threads over requests do for each line of stdin: a request, lines, JSON, and a
write in the order of the input. There is no check in it, no error, no money and no ledger.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter


def main(url: str, jobs: int, stream: bool) -> None:
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=jobs))

    def answer(line: str) -> bytes:
        message = {"role": "user", "content": f"Q {line.rstrip()}"}
        body = {"model": "m", "stream": stream, "messages": [message]}
        with session.post(url, json=body, stream=stream) as response:
            return _streamed(response) if stream else _whole(response)

    with ThreadPoolExecutor(jobs) as pool:
        for text in pool.map(answer, sys.stdin):
            os.write(1, text + b"\n")


def _streamed(response: requests.Response) -> bytes:
    data = (line[6:] for line in response.iter_lines() if line.startswith(b"data: {"))
    deltas = (json.loads(one)["choices"][0]["delta"] for one in data)
    return "".join(delta.get("content") or "" for delta in deltas).encode()


def _whole(response: requests.Response) -> bytes:
    return str(response.json()["choices"][0]["message"]["content"]).encode()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), "no-stream" not in sys.argv)

"""The least that one thread over aiohttp does for each line of stdin: a request, JSON, and a write
in the order of the input. There is no check in it, no error, no money and no ledger.
"""

import asyncio
import json
import os
import sys
from collections import deque

import aiohttp


async def main(url: str, jobs: int, stream: bool) -> None:
    async def answer(line: str) -> bytes:
        message = {"role": "user", "content": f"Q {line.rstrip()}"}
        body = {"model": "m", "stream": stream, "messages": [message]}
        async with session.post(url, json=body) as response:
            return await (_streamed(response) if stream else _whole(response))

    connector = aiohttp.TCPConnector(limit=jobs)
    async with aiohttp.ClientSession(connector=connector) as session:
        waiting: deque[asyncio.Task[bytes]] = deque()
        for line in sys.stdin:
            waiting.append(asyncio.create_task(answer(line)))
            if len(waiting) == 2 * jobs:
                os.write(1, await waiting.popleft() + b"\n")
        for task in waiting:
            os.write(1, await task + b"\n")


async def _streamed(response: aiohttp.ClientResponse) -> bytes:
    data = [line[6:] async for line in response.content if line.startswith(b"data: {")]
    deltas = (json.loads(one)["choices"][0]["delta"] for one in data)
    return "".join(delta.get("content") or "" for delta in deltas).encode()


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    return str((await response.json())["choices"][0]["message"]["content"]).encode()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), "no-stream" not in sys.argv))

"""The same requests by plain sockets in one event loop: what this machine and the server can do at best."""

import asyncio
import json
from collections.abc import Iterator
from time import perf_counter
from urllib.parse import urlsplit

_BODY = json.dumps({"model": "some-model", "messages": [{"role": "user", "content": "Hi"}]}).encode()
_HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer k\r\n"
    f"content-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n"
).encode()


def bare_wall(url: str, requests: int, connections: int) -> float:
    """Return the seconds in which `requests` are answered over so many connections."""
    began = perf_counter()
    asyncio.run(_all(url, requests, connections))
    return perf_counter() - began


async def _all(url: str, requests: int, connections: int) -> None:
    left = iter(range(requests))
    await asyncio.gather(*(_one(url, left) for _ in range(connections)))


async def _one(url: str, left: Iterator[int]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for _ in left:
        writer.write(_HEAD + _BODY)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
    writer.close()


def _length(head: bytes) -> int:
    (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(length.partition(b":")[2])

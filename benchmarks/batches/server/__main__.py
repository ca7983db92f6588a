"""The process: says on its output where its ports are, then what it did since, once for every line read."""

import asyncio
import json
import sys
import threading
from functools import partial
from typing import Any

from benchmarks.batches.server.port import Connection, Tally
from benchmarks.batches.server.recording import recorded_answer


def main() -> None:
    """Serve one port for each delay on the command line, in seconds, until the input ends."""
    answer, tally, loop = recorded_answer(), Tally(), asyncio.new_event_loop()
    connections = {delay: partial(Connection, answer, float(delay), tally) for delay in sys.argv[1:]}
    urls = {delay: loop.run_until_complete(_open(connection)) for delay, connection in connections.items()}
    threading.Thread(target=loop.run_forever, daemon=True).start()
    _say(urls)
    for _ in sys.stdin:
        _say(tally.take())


async def _open(connection: partial[Connection]) -> str:
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=1024)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()

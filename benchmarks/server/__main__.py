"""The process: says on its output where its ports are, then what it did since, once for every line read."""

import asyncio
import json
import sys
import threading
from functools import partial
from typing import Any

from benchmarks.server.port import Connection, Tally
from benchmarks.server.recording import Recorder
from flyllm.testing import ProviderSimulator


def main() -> None:
    """Serve one port for each `provider:seconds` on the command line until the input ends."""
    loop, tally = asyncio.new_event_loop(), Tally()
    with ProviderSimulator(keep=1) as simulator:
        recorders: dict[str, Recorder] = {}
        urls = {}
        for place in sys.argv[1:]:
            provider, _, delay = place.partition(":")
            if provider not in recorders:
                recorders[provider] = Recorder(simulator, provider)
            connection = partial(Connection, recorders[provider].answer, float(delay), tally)
            urls[place] = loop.run_until_complete(_open(connection))
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

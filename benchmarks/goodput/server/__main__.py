"""The server process: reads one command per line, answers with one line of JSON.

{"do": "open", "world": {...}}   -> {"urls": [...]}    providers that answer at once, for warming up
{"do": "begin"}                  -> {}                 time zero: service times, faults and limits hold
{"do": "end"}                    -> {"wire": ...}      what was counted; everything is closed
"""

import gc
import json
import sys
from time import monotonic
from typing import Any

from benchmarks.goodput.server.answers import Answers
from benchmarks.goodput.server.provider import ServedProvider
from benchmarks.goodput.server.tally import Tally
from benchmarks.goodput.world import World, service_times, world_from_json
from flyllm.testing.server import LoopThread


class Server:
    """The providers of one run after another."""

    def __init__(self) -> None:
        self._thread, self._answers = LoopThread(), Answers()
        self._providers: list[ServedProvider] = []
        self._world: World | None = None
        self._tally: Tally | None = None

    def open(self, world: World) -> dict[str, Any]:
        """Open one port per provider of `world`."""
        times = service_times(world.seed, world.requests)
        self._world = world
        for script in world.providers:
            provider = ServedProvider(script, world, times, self._answers, self._thread)
            self._thread.run(provider.listen())
            self._providers.append(provider)
        return {"urls": [provider.url for provider in self._providers]}

    def begin(self) -> dict[str, Any]:
        """Set the run going."""
        assert self._world is not None
        gc.collect()
        self._tally, began = Tally(self._world.requests), monotonic()
        for provider in self._providers:
            self._thread.run(provider.start(self._tally, began))
        return {}

    def end(self) -> dict[str, Any]:
        """Close the run and tell what was counted."""
        assert self._tally is not None
        report = self._tally.report()
        for provider in self._providers:
            self._thread.run(provider.close())
        self._providers.clear()
        return report


def main() -> None:
    """Serve commands until the input ends."""
    server = Server()
    gc.freeze()
    for line in sys.stdin:
        command = json.loads(line)
        act = command.pop("do")
        reply = server.open(world_from_json(command["world"])) if act == "open" else getattr(server, act)()
        print(json.dumps(reply), flush=True)


main()

"""The process: says on its output where its ports are, then how many connections they had, once for every line read."""

import json
import sys
from typing import Any

from benchmarks.streams.server.recording import Recorder
from benchmarks.streams.server.replay import Port
from flyllm.testing import ProviderSimulator


def main() -> None:
    """Serve the providers named on the command line until the input ends."""
    with ProviderSimulator(keep=1) as simulator:
        recorders = {name: Recorder(simulator, name) for name in sys.argv[1:]}
        ports = {
            name: {"at_once": Port(recorder, paced=False), "paced": Port(recorder, paced=True)}
            for name, recorder in recorders.items()
        }
        _say({name: {way: port.url for way, port in ways.items()} for name, ways in ports.items()})
        for _ in sys.stdin:
            _say({port.url: port.connections for ways in ports.values() for port in ways.values()})


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()

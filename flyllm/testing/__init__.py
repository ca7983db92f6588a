"""Test an application against simulated LLM providers: real HTTP over real sockets, no network, no keys.

`ProviderSimulator` serves the ten providers' APIs on ports of this machine; each `SimulatedProvider` can be told
what to answer and how to fail, and tells afterwards what it was asked. With pytest, take the fixture
`provider_simulator`. Needs the extra `flyllm[testing]`.
"""

from flyllm.testing.behaviour import Behaviour, lognormal
from flyllm.testing.faults import Fault, StreamFault, cut, error_event, garbage, stall
from flyllm.testing.instance import SimulatedProvider
from flyllm.testing.policy import Policy
from flyllm.testing.records import RecordedRequest
from flyllm.testing.simulator import ProviderSimulator
from flyllm.testing.wires.base import Call, ErrorKind, Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.registry import PROVIDERS

__all__ = [
    "PROVIDERS",
    "Behaviour",
    "Call",
    "ErrorKind",
    "Fault",
    "Operation",
    "Policy",
    "ProviderSimulator",
    "RecordedRequest",
    "Reply",
    "SimulatedProvider",
    "SimulatedToolCall",
    "StreamFault",
    "cut",
    "error_event",
    "garbage",
    "lognormal",
    "stall",
]

"""Test an application against simulated LLM providers: real HTTP over real sockets, no network, no keys.

`ProviderSimulator` serves the ten providers' APIs on ports of this machine; each `SimulatedProvider` can be told
what to answer and how to fail, and tells afterwards what it was asked. With pytest, take the fixture
`provider_simulator`. Needs the extra `flyllm[testing]`.

Names load on first use: the pytest plugin lives here and is loaded in every pytest run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyllm.testing.behaviour import Behaviour, lognormal
    from flyllm.testing.faults import Fault, StreamFault, cut, error_event, garbage, stall
    from flyllm.testing.instance import SimulatedProvider
    from flyllm.testing.policy import Policy
    from flyllm.testing.records import RecordedRequest
    from flyllm.testing.simulator import ProviderSimulator
    from flyllm.testing.wires.base import Call, ErrorKind, Operation, Reply, SimulatedToolCall
    from flyllm.testing.wires.registry import PROVIDERS

_HOMES = {
    "behaviour": ("Behaviour", "lognormal"),
    "faults": ("Fault", "StreamFault", "cut", "error_event", "garbage", "stall"),
    "instance": ("SimulatedProvider",),
    "policy": ("Policy",),
    "records": ("RecordedRequest",),
    "simulator": ("ProviderSimulator",),
    "wires.base": ("Call", "ErrorKind", "Operation", "Reply", "SimulatedToolCall"),
    "wires.registry": ("PROVIDERS",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__

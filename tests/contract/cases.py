"""What tests of all rows of the registry share: their cases, made once, and the faults that they all go through."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from flyllm import LLMManager
from flyllm.testing import Fault, ProviderSimulator, SimulatedProvider

CANARY = "sk-CANARY-7f3a9b2c4d5e6f708192"
UNREADABLE = [Fault.HTML, Fault.EMPTY, Fault.NULL, Fault.EMPTY_OBJECT, Fault.TRUNCATED_JSON]
BROKEN = [
    Fault.RESET_ON_ACCEPT,
    Fault.RESET,
    Fault.CLOSE,
    Fault.CUT_IN_HEADERS,
    Fault.CUT_AFTER_HEADERS,
    Fault.SHORT_BODY,
    Fault.CUT_IN_CHUNK,
]


class RowCase(Protocol):
    """One row under test."""

    manager: LLMManager
    server: SimulatedProvider


C = TypeVar("C", bound=RowCase)


@contextmanager
def kept(make: Callable[[str, str, SimulatedProvider], C]) -> Iterator[Callable[[str, str], C]]:
    """Make each row's case once: SDK clients and connections are kept, as in an application."""
    made: dict[tuple[str, str], C] = {}
    with ProviderSimulator() as simulator:

        def case(provider: str, api: str) -> C:
            if (provider, api) not in made:
                made[provider, api] = make(provider, api, simulator.add(provider, name=f"{provider}-{api}"))
            return made[provider, api]

        yield case
        for each in made.values():
            each.manager.close()


def fresh(case: C) -> C:
    """Return `case`, its server fresh and what earlier tests made the manager think of it forgotten."""
    case.server.reset()
    for instance in case.manager.instances:
        case.manager.enable(instance.id)
    return case

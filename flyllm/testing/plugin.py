"""pytest plugin: the fixture `provider_simulator`. Loaded in every pytest run, so it imports the rest only on use."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flyllm.testing.simulator import ProviderSimulator


@pytest.fixture
def provider_simulator() -> "Iterator[ProviderSimulator]":
    """Yield a `ProviderSimulator` that is closed after the test."""
    from flyllm.testing.simulator import ProviderSimulator

    with ProviderSimulator() as simulator:
        yield simulator

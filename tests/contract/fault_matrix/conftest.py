"""The two ways every row varies: how requests are made, and over how many instances."""

import importlib

import pytest

from tests.contract.fault_matrix.world import FLEET, WAYS


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "row(*numbers): the rows of the fault matrix that a test proves")


def pytest_collection_finish() -> None:
    """Import the SDKs ahead of the first test, which measures time: on a busy machine that alone may be a minute."""
    for name in FLEET:
        importlib.import_module(name)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How requests are made: "generate", "batch" or "stream"."""
    made: str = request.param
    return made


@pytest.fixture(params=[1, 3], ids=["alone", "of-three"])
def count(request: pytest.FixtureRequest) -> int:
    """How many instances there are."""
    number: int = request.param
    return number

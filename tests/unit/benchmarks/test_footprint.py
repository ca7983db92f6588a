"""The footprint bench: that its parts run."""

import pytest

from benchmarks.batches.resident import IS_TOLD
from benchmarks.footprint.measured import build, schedule, select
from benchmarks.footprint.started import added
from benchmarks.processes import Child
from flyllm._routing.strategies import STRATEGY_NAMES


def test_what_an_import_adds_is_measured():
    assert added("import decimal, json, email.message", 1).memory > 0 or not IS_TOLD


def test_building_makes_no_client():
    assert build(20)["clients"] == 0


@pytest.mark.parametrize("strategy", STRATEGY_NAMES)
def test_choosing_is_measured_by_every_strategy(strategy: str):
    assert select(5, strategy, 3)["seconds"] > 0


def test_requests_from_threads_are_measured():
    assert schedule(2, 4, 4).keys() == {"seconds", "bare"}


def test_one_tls_context_reads_roots_for_all_instances():
    with Child("benchmarks.footprint.measured", "contexts", "openai", "groq") as child:
        assert child.hear() == {"contexts": 1}

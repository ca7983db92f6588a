"""Random worlds under virtual time: what must hold at every step, and in the end, whatever happens."""

import os
import subprocess
import sys

import pytest

from tests.simulation.worlds import run_world

SEEDS = 300


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_rule_holds_in_a_random_world(seed: int) -> None:
    """One result per request, no place lost or given twice, nothing sent too early, nobody waits for what is free."""
    run_world(seed)


@pytest.mark.parametrize("seed", range(0, SEEDS, 30))
def test_a_seed_is_one_run(seed: int) -> None:
    """Two runs of a seed are equal to the byte."""
    assert run_world(seed) == run_world(seed)


def test_a_seed_is_one_run_in_another_process() -> None:
    """Nor does a run depend on how the interpreter happens to hash."""
    command = [sys.executable, "-m", "tests.simulation", "--seed", "17"]
    environment = {**os.environ, "PYTHONHASHSEED": "17", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [run_world(17)] * 2

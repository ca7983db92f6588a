"""A batch on processes of others: the manager travels as its configuration, keys are looked up where it arrives."""

import pickle
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

import pytest

from flyllm import ConfigError, LLMManager
from flyllm.testing import ProviderSimulator
from tests.public.processes import CANARY

REQUESTS = [f"question {n}" for n in range(24)]


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


@pytest.fixture
def manager(simulator: ProviderSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[LLMManager]:
    """A manager of two instances, whose keys are in a variable that the processes inherit."""
    monkeypatch.setenv("BATCH_TEST_KEY", CANARY)
    builder = LLMManager.builder()
    for name in ("openai", "groq"):
        server = simulator.add(name, keys={CANARY})
        builder.add_instance(name, "model-1", "${BATCH_TEST_KEY}", endpoint=server.url)
    with builder.build() as manager:
        yield manager


def test_a_manager_pickles_as_its_configuration(manager: LLMManager) -> None:
    """No key, no socket; what arrives answers."""
    pickled = pickle.dumps(manager)
    assert CANARY.encode() not in pickled
    with pickle.loads(pickled) as arrived:
        assert arrived.generate("Hi").success
        assert [snapshot.name for snapshot in arrived.instances] == ["openai/model-1", "groq/model-1"]


def test_a_manager_whose_key_was_given_as_text_does_not_pickle() -> None:
    with LLMManager.builder().add_instance("openai", "m", CANARY).build() as manager:
        with pytest.raises(ConfigError, match="keys are not pickled") as caught:
            pickle.dumps(manager)
        assert CANARY not in str(caught.value)


def check(manager: LLMManager, simulator: ProviderSimulator, executor: Executor) -> None:
    responses = manager.batch_generate(REQUESTS, executor=executor)
    assert [response.error for response in responses] == [None] * len(REQUESTS)
    assert all(request in response.content for request, response in zip(REQUESTS, responses, strict=True))
    assert sum(server.count for server in simulator) == len(REQUESTS)
    assert {response.provider for response in responses} == {"openai", "groq"}


def test_a_batch_runs_on_a_pool_of_processes(manager: LLMManager, simulator: ProviderSimulator) -> None:
    with ProcessPoolExecutor(2) as executor:
        check(manager, simulator, executor)


@pytest.mark.timeout(240)
def test_a_batch_runs_on_a_dask_cluster(manager: LLMManager, simulator: ProviderSimulator) -> None:
    """Two worker processes of a local cluster."""
    distributed = pytest.importorskip("distributed")
    here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, **here) as cluster,
        distributed.Client(cluster) as client,
    ):
        check(manager, simulator, client.get_executor())


def test_a_deadline_holds_in_other_processes(manager: LLMManager, simulator: ProviderSimulator) -> None:
    """It is the batch's, over all of them."""
    for server in simulator:
        server.set(latency=30.0)
    began = time.monotonic()
    with ProcessPoolExecutor(2) as executor:
        responses = manager.batch_generate(REQUESTS[:4], executor=executor, deadline=1.5)
    assert time.monotonic() - began < 20.0
    assert not any(response.success for response in responses)

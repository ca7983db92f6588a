"""Which parameters reach a provider: the nearest to the request wins, and what is a provider's stays there."""

from typing import Any

import pytest

from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition
from tests.unit.fakes import FakeProvider, core, instance


def sent(task: TaskDefinition, request: GenerationRequest, provider: str = "openai", **defaults: Any) -> dict[str, Any]:
    """Return the parameters that an instance with `defaults` is sent for `request`."""
    adapter = FakeProvider()
    place = instance(0, adapter, provider=provider, params=defaults, tasks=frozenset({"t"}))
    assert core(place, tasks=[task]).run(request).success
    return dict(adapter.requests[0].params)


def test_a_tasks_parameters_for_a_provider_stand_between_the_tasks_and_the_requests() -> None:
    task = TaskDefinition("t", {"a": 2, "b": 2, "c": 2, "d": 2}).with_provider_params("openai", b=3, c=3, d=3)
    request = GenerationRequest("x", task="t", params={"c": 4, "d": 4}, provider_params={"OpenAI": {"d": 5}})
    assert sent(task, request, a=1, z=1) == {"z": 1, "a": 2, "b": 3, "c": 4, "d": 5}


@pytest.mark.parametrize(("provider", "params"), [("ollama", {"num_ctx": 8192}), ("openai", {})])
def test_they_apply_only_there(provider: str, params: dict[str, Any]) -> None:
    task = TaskDefinition("t").with_provider_params("ollama", num_ctx=8192)
    assert sent(task, GenerationRequest("x", task="t"), provider) == params

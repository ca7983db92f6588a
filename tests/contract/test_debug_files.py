"""Debug files of real calls: every attempt is in them, and without prompts no text is."""

import json
from pathlib import Path
from typing import Any

import pytest

from flyllm import GenerationRequest
from flyllm.observability.debug_files import DebugFiles
from flyllm.testing import cut
from tests.contract.fault_matrix.world import FLEET, WAYS, World

SECRET = "the secret plans"


def entries(folder: Path) -> list[Any]:
    return [entry for file in sorted(folder.rglob("debug.json")) for entry in json.loads(file.read_text())]


@pytest.mark.parametrize("way", WAYS)
def test_every_attempt_has_an_entry_that_names_its_request(way: str, tmp_path: Path) -> None:
    """The failed one in its instance's file, the other in its own; both under the request's name."""
    with World(2, only={1: {"priority": 1}}, observers=[DebugFiles(str(tmp_path))]) as world:
        world.servers[0].fail(503)
        (result,) = world.send(way)
        world.manager.close()
        failed, answered = entries(tmp_path)
        assert result.response is not None
        assert {failed["metadata"]["id"], answered["metadata"]["id"]} == {result.response.id}
    assert (failed["metadata"]["attempt"], failed["metadata"]["status_code"]) == (1, 503)
    assert (answered["metadata"]["attempt"], answered["metadata"]["chosen_because"]) == (2, "failover")
    assert (failed["output"]["success"], answered["output"]["success"]) == (False, True)
    assert (answered["metadata"]["first_content"] is not None) == (way == "stream")
    assert answered["output"]["usage"]["source"]["prompt_tokens"] == "reported"


@pytest.mark.parametrize("provider", FLEET)
def test_without_prompts_no_text_is_in_the_files(provider: str, tmp_path: Path) -> None:
    """Of answers, refusals that quote the prompt, and streams that broke off."""
    files = DebugFiles(str(tmp_path), prompts=False)
    with World(provider, observers=[files], echoes=False, max_retries=0) as world:
        request = GenerationRequest(SECRET, system=SECRET, metadata={"note": SECRET}, params={"user": SECRET})
        world.servers[0].reply(f"of course: {SECRET}, and so on")
        world.generate(request)
        world.stream(request)
        world.servers[0].fail(400, message=f"Invalid prompt: '{SECRET}'")
        world.generate(request)
        world.servers[0].enqueue(f"these: {SECRET} and those", fault=cut(after=5, how="reset"))
        world.stream(request)
        world.manager.close()
    assert len(entries(tmp_path)) == 4
    text = " ".join(file.read_text() for file in tmp_path.rglob("debug.json"))
    assert not any(word in text for word in ("secret", "plans", "course"))
    assert "characters]" in text

"""What is written down of requests: everything but the data of images and files."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from flyllm.errors import ConfigError
from flyllm.images import with_images
from flyllm.observability.debug_entry import entry
from flyllm.observability.opentelemetry import content
from flyllm.observability.shortened import LONGEST, shortened
from flyllm.request import GenerationRequest
from tests.unit.observability.test_debug_files import event

DATA = b64encode(bytes(30_000)).decode()
URL = f"data:image/png;base64,{DATA}"
TOLD = "data:image/png;base64,… (40000 characters)"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)


def part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (URL, TOLD),
        ([{"role": "user", "content": [part(URL)]}], [{"role": "user", "content": [part(TOLD)]}]),
        (({"type": "input_image", "image_url": URL},), [{"type": "input_image", "image_url": TOLD}]),
        ({"source": {"type": "base64", "data": DATA}}, {"source": {"type": "base64", "data": "… (40000 characters)"}}),
        ({"file": {"file_data": URL}}, {"file": {"file_data": TOLD}}),
        (b"abc", "… (3 bytes)"),
    ],
)
def test_data_becomes_how_long_it_is(value: Any, written: Any) -> None:
    """Of URLs, and where it stands by itself in providers' own parts."""
    assert shortened(value) == written


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "data: " + "a, b" * LONGEST,
        "x" * 10_000,
        "data:image/png;base64,AAAA",
        [{"role": "user", "content": "x" * 10_000}, part("https://example.com/" + "x" * 1000)],
        {"data": "short"},
        {"arguments": {"data": [1, 2]}},
    ],
)
def test_all_else_is_written_as_it_is(value: Any) -> None:
    """The very object."""
    assert shortened(value) is value


def test_what_holds_itself_comes_to_an_end() -> None:
    """As the JSON of it does."""
    ring: list[Any] = [URL]
    ring.append(ring)
    assert TOLD in str(shortened(ring))


@pytest.mark.parametrize("prompts", [True, False])
def test_images_do_not_fill_debug_files(prompts: bool) -> None:
    """Neither the prompt's, nor those of messages and results."""
    messages = [{"role": "user", "content": ["Look:", PNG]}, {"role": "tool", "tool_call_id": "1", "content": [PNG]}]
    request = with_images(GenerationRequest("What is it?", images=[PNG], messages=messages))
    written = entry(event(request=request), prompts=prompts)
    assert len(written) < 3_000
    asked = json.loads(written)["input"]
    if prompts:
        assert asked["images"] == [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,… (4000012 characters)"}}
        ]
        assert asked["prompt"] == "What is it?"
        assert asked["messages"][0]["content"][0] == {"type": "text", "text": "Look:"}
    else:
        assert asked["images"] == 1
    assert b"AAAAAAAA" not in written


def test_images_do_not_fill_spans() -> None:
    """Of them only that they were there."""
    messages = [{"role": "user", "content": ["Look:", PNG]}, {"role": "tool", "tool_call_id": "1", "content": [PNG]}]
    request = with_images(GenerationRequest("What is it?", images=[PNG], messages=messages))
    told = content.of(event(request=request))["gen_ai.input.messages"]
    assert len(told) < 1_000
    assert json.loads(told)[-1]["parts"] == [{"type": "image_url"}, {"type": "text", "content": "What is it?"}]


def test_an_error_tells_nothing_of_a_file_but_its_path(tmp_path: Path) -> None:
    """It may have been the wrong one."""
    file = tmp_path / "a.png"
    file.write_bytes(b"no image but a secret")
    with pytest.raises(ConfigError, match=r"a\.png") as caught:
        with_images(GenerationRequest("Hi", images=[file]))
    assert "secret" not in str(caught.value)

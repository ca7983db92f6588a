"""docs/conversations.md is true: its snippets run from first to last, with simulated providers for the real ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flyllm.testing import ProviderSimulator
from tests.contract.test_images import JPEG

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "conversations.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_first_to_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files they name are there."""
    monkeypatch.chdir(tmp_path)
    for name, data in (("photo.jpg", JPEG), ("b.webp", b"RIFF\x04\x00\x00\x00WEBP"), ("c.gif", b"GIF89a")):
        (tmp_path / name).write_bytes(data)
    script = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    script, places = re.subn(r'(add_instance\("(\w+)".*)\)', r'\1, endpoint=url("\2"))', script)
    assert places == 2
    with ProviderSimulator() as simulator:
        simulator["openai"].reply("620 km.")
        names: dict[str, Any] = {"url": simulator.url, "OPENAI_KEY": "a", "ANTHROPIC_KEY": "b"}
        exec(compile(script, "docs/conversations.md", "exec"), names)
        names["manager"].close()
        bodies = [request.body for request in simulator["openai"].requests]
    assert [message["role"] for message in bodies[0]["messages"]] == ["system", "user", "assistant", "user"]
    assert names["messages"][-1] == {"role": "assistant", "content": "620 km."}
    told = [[part["type"] for part in body["messages"][-1]["content"]] for body in bodies[1:]]
    image, text = "image_url", "text"
    assert told == [[image, text], [image, image, text], [text, image, text, image]]
    assert bodies[3]["messages"][-1]["content"][3]["image_url"]["detail"] == "low"
    assert json.dumps(bodies).count("data:image/") == 4

"""docs/structured-output.md is true: its snippets run from first to last, over simulated providers."""

import re
from pathlib import Path
from typing import Any

from flyllm.testing import ProviderSimulator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "structured-output.md").read_text(encoding="utf-8")
GOOD, BAD = '{"mood": "good", "stars": 4, "topics": ["noise"]}', '{"mood": "good", "stars": 9, "topics": []}'


def test_the_snippets_run_from_first_to_last() -> None:
    """With simulated providers for the real ones."""
    script = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    script, places = re.subn(r'(add_instance\("(\w+)".*)\)', r'\1, endpoint=url("\2"))', script)
    assert places == 2
    with ProviderSimulator() as simulator:
        simulator["openai"].reply(GOOD, times=1).reply(BAD, times=3).reply("Once upon a time.")
        simulator["anthropic"].reply(GOOD)
        names: dict[str, Any] = {"url": simulator.url, "OPENAI_KEY": "a", "ANTHROPIC_KEY": "b", "__name__": "docs"}
        exec(compile(script, "docs/structured-output.md", "exec"), names)
        names["manager"].close()
        assert (simulator["openai"].count, simulator["anthropic"].count) == (5, 1)
    assert names["response"].content == "Once upon a time."

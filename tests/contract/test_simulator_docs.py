"""The page about the simulator is true: its snippets run, its tables name what there is."""

import re
from pathlib import Path

import pytest

from flyllm.testing import PROVIDERS, ErrorKind, Fault

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_run(snippet: str) -> None:
    """Every Python snippet runs by itself."""
    exec(compile(snippet, "docs/simulator.md", "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize("name", [*PROVIDERS, *(f.name for f in Fault), *(k.name for k in ErrorKind)])
def test_every_name_is_on_the_page(name: str) -> None:
    """No provider, fault or kind of error is left out."""
    assert f"`{name}`" in PAGE

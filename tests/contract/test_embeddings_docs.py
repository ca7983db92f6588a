"""docs/embeddings.md is true: its snippets run, its table is the registry's."""

import re
from pathlib import Path
from typing import Any

from flyllm import EmbeddingResponse
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "embeddings.md").read_text(encoding="utf-8")


def test_the_snippets_run_from_first_to_last() -> None:
    """With simulated providers for the real ones."""
    script = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    script, places = re.subn(r'(add_instance\("(\w+)".*)\)', r'\1, endpoint=url("\2"))', script)
    assert places == 3
    with ProviderSimulator() as simulator:
        names: dict[str, Any] = {"url": simulator.url, "OPENAI_KEY": "a", "SECOND_KEY": "b", "COHERE_KEY": "c"}
        exec(compile(script, "docs/embeddings.md", "exec"), names)
        names["manager"].close()
        assert (simulator["openai"].count, simulator["cohere"].count) == (3, 0)
    assert all(isinstance(names[name], EmbeddingResponse) for name in ("response", "queries"))


def test_the_table_is_the_registry_s() -> None:
    rows = []
    for spec in REGISTRY.values():
        embeddings = [api.embedding for api in spec.apis if api.embedding is not None]
        if not embeddings:
            continue
        assert len({(each.texts, each.tokens) for each in embeddings}) == 1
        texts, tokens = embeddings[0].texts, embeddings[0].tokens
        name = embeddings[0].params.get("dimensions")
        also = ", with `chat_completions` `dimensions`" if spec.name == "google" else ""
        shown = f"`{name}`{also}" if name else "dropped"
        rows.append(f"| `{spec.name}` | {texts} | {f'{tokens:,} |' if tokens else '|'} {shown} |")
    found = [line for line in PAGE.splitlines() if re.match(r"\| `\w+` \| \d", line)]
    assert found == rows, "the table should be:\n" + "\n".join(rows)

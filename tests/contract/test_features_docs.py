"""docs/features.md is true: its tables are the registry's, its snippets run."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flyllm import LLMResponse, NoInstanceError
from flyllm.providers.capabilities import (
    EMBED,
    FORCED_TOOLS,
    IMAGE_URLS,
    IMAGES,
    JSON,
    JSON_BESIDE_TOOLS,
    SCHEMAS,
    TOOLS,
)
from flyllm.providers.effort import Effort, effort_of
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator
from tests.contract.effort_cases import CASES, WITHOUT, WORDS, Case

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
COLUMNS = (TOOLS, FORCED_TOOLS, IMAGES, IMAGE_URLS, SCHEMAS, JSON, JSON_BESIDE_TOOLS, EMBED)


def section(title: str) -> str:
    """The part of the page under a heading, up to the next one."""
    return re.split(r"^#+ .*$", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[str]:
    return [line for line in section(title).splitlines() if line.startswith("| `")]


def test_who_can_do_what_is_the_registry_s() -> None:
    wanted = [
        f"| `{spec.name}` | `{api.name}` | {' | '.join('yes' if word in api.can else '-' for word in COLUMNS)} |"
        for spec in REGISTRY.values()
        for api in spec.apis
    ]
    assert rows("Who can do what") == wanted, "the table should be:\n" + "\n".join(wanted)


def cell(effort: Effort, word: str) -> str:
    if word in effort.instead:
        return ", ".join(f"`{each}`" for each in leaves(effort.instead[word])) or "-"
    return f"`{json.dumps(effort.words.get(word, word))}`".replace('"', "")


def leaves(said: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}: {value}"


def told(case: Case) -> str:
    effort = effort_of(REGISTRY[case.provider].api(case.api).efforts, case.model)
    assert effort is not None
    cells = " | ".join(cell(effort, word) for word in WORDS)
    return f"| `{case.provider}` | `{case.api}` | {case.model} | `{effort.path}` | {cells} |"


def test_efforts_are_what_is_sent() -> None:
    """By the cases whose bodies other tests compare with what the providers document."""
    wanted = list(map(told, CASES))
    assert rows("Reasoning effort") == wanted, "the table should be:\n" + "\n".join(wanted)


def test_models_without_an_effort_are_named() -> None:
    said = section("Reasoning effort")
    assert all(f"`{model}`" in said for _, _, model in WITHOUT)


def test_what_comes_out_is_what_the_wires_have() -> None:
    places = {(case.provider, case.api): case for case in CASES}
    wanted = [
        f"| `{p}` | `{a}` | {'yes' if case.shows else '-'} | {'yes' if case.counts else '-'} |"
        for (p, a), case in places.items()
    ]
    assert rows("Thoughts and their tokens") == wanted, "the table should be:\n" + "\n".join(wanted)


def test_the_snippets_run() -> None:
    """Each by itself, with simulated providers for the real ones."""
    for script in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        script, places = re.subn(r'(add_instance\("(\w+)".*)\)', r'\1, endpoint=url("\2"))', script)
        assert places
        with ProviderSimulator() as simulator:
            for provider in REGISTRY:
                simulator.add(provider, name=provider)
            names: dict[str, Any] = {"url": simulator.url, "KEY": "a"}
            try:
                exec(compile(script, "docs/features.md", "exec"), names)
            except NoInstanceError as error:
                assert str(error) in " ".join(PAGE.replace("> ", "").split())  # noqa: PT017 - the page shows it
            else:
                assert isinstance(names["response"], LLMResponse)
            names["manager"].close()

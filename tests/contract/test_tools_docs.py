"""docs/tools.md is true: its snippets run from first to last, with a simulated provider that calls the functions."""

import re
from pathlib import Path
from typing import Any

from flyllm.testing import Call, ProviderSimulator, Reply, SimulatedToolCall

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "temperature": {"city": "Oslo", "day": "2026-11-24", "unit": "F"},
    "search": {"query": "kettle"},
    "add": {"a": 17, "b": 4},
    "query": {"sql": "select 1"},
}


def model(call: Call) -> Reply | str:
    """Call every function once, then say what they brought."""
    messages = call.body["messages"]
    results = [message["content"] for message in messages if message["role"] == "tool"]
    if messages[-1]["role"] == "tool":
        return "; ".join(results)
    names = [tool["function"]["name"] for tool in call.body["tools"]]
    return Reply(tool_calls=tuple(SimulatedToolCall(name, ARGUMENTS[name]) for name in names), finish="tool_calls")


def test_the_snippets_run_from_first_to_last() -> None:
    """With simulated providers for the real ones."""
    script = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    script, places = re.subn(r'(add_instance\("(\w+)".*)\)', r'\1, endpoint=url("\2"))', script)
    assert places == 2
    with ProviderSimulator() as simulator:
        simulator["openai"].reply(model)
        names: dict[str, Any] = {"url": simulator.url, "OPENAI_KEY": "a", "ANTHROPIC_KEY": "b"}
        exec(compile(script, "docs/tools.md", "exec"), names)
        names["manager"].close()
        assert (simulator["openai"].count, simulator["anthropic"].count) == (10, 0)
        told = [message["content"] for message in simulator["openai"].requests[7].body["messages"][-2:]]
    assert told == ["21", "no rows for select 1"]
    assert names["run"].content == "; ".join(['{"city": "Oslo", "degrees": 70, "day": "2026-11-24"}'] * 2)
    assert names["answer"].content == '{"city": "Oslo", "degrees": 3}'

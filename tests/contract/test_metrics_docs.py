"""The page about metrics is true: its snippets run, its Flask application serves them."""

import re
from pathlib import Path
from typing import Any

import pytest

from flyllm import start_metrics_server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_run(snippet: str) -> None:
    """Every one by itself; on any port, since others run at the same time."""
    names = run(snippet.replace("(9090)", "(0)"))
    for name in ("server", "manager"):
        if name in names:
            names[name].close()


def test_the_port_is_the_one_it_says() -> None:
    """The default."""
    assert start_metrics_server.__defaults__ is not None
    assert start_metrics_server.__defaults__[0] == 9090
    assert "start_metrics_server(9090)" in PAGE


def test_the_flask_application_serves_them() -> None:
    """At the path under which it is mounted."""
    (snippet,) = (snippet for snippet in SNIPPETS if "flask" in snippet)
    client = run(snippet)["app"].test_client()
    assert b"python_info" in client.get("/metrics").data
    assert client.get("/metrics/health").data == b"OK"
    assert client.get("/other").status_code == 404


def run(snippet: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(snippet, "docs/metrics.md", "exec"), names)
    return names

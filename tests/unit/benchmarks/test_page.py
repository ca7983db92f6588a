"""The page of figures: its tables, its bars, and that every bench's JSON becomes a section."""

import json
from pathlib import Path

import pytest

from benchmarks.batches.plan import FULL
from benchmarks.batches.report import as_json as batches
from benchmarks.batches.rows import Row
from benchmarks.calls.measure import Plan
from benchmarks.calls.report import as_json as calls
from benchmarks.calls.share import Share
from benchmarks.goodput.measure import Measurement
from benchmarks.goodput.report import as_json as goodput
from benchmarks.goodput.scenarios import all_scenarios
from benchmarks.goodput.summary import Row as Summary
from benchmarks.page.__main__ import BEGIN, END, page, put_between
from benchmarks.page.markdown import bars, table
from benchmarks.page.sections import SECTIONS
from benchmarks.streams.measure import Plan as Streams
from benchmarks.streams.report import as_json as streams
from benchmarks.threads.report import as_json as threads
from tests.unit.benchmarks.test_calls import row as call_row
from tests.unit.benchmarks.test_calls import taken as call_taken
from tests.unit.benchmarks.test_streams import row as stream_row
from tests.unit.benchmarks.test_threads import row as thread_row
from tests.unit.benchmarks.test_threads import taken as thread_taken

ROOT = Path(__file__).parents[3]


METRICS = dict.fromkeys(
    ("late", "wire", "lost", "twice", "exhausted", "refused", "client_share", "server_share", "others_share"), 0.0
)


def figures() -> dict[str, object]:
    one = Streams(1, 2, 1)
    run = Measurement("fails-fast", 1, 10, 2, 11.0, 10.0, METRICS | {"ratio": 0.93}, {}, {})
    scenario = next(each for each in all_scenarios() if each.name == "fails-fast")
    found = batches([Row("wall", 0.9, "", least=0.95), Row("memory", 20.0, "MB", most=30)], [], FULL)
    return {
        "calls": calls([call_row(call_taken(0.001, 0.0007))], [Share("all", 61, 60, 62, 60)], 1.0, Plan(1, 1), True),
        "threads": threads([thread_row(thread_taken())], True),
        "streams": streams([stream_row("groq", 5.0)], one, one),
        "batches": found,
        "observers": {**found, "rows": [{"name": "usage", "micros": 3.0, "least": 2.0, "most": 4.0, "own": 3.0}]},
        "footprint": found,
        "goodput": goodput([Summary(scenario, [run])], 1.0, quick=True),
    }


def test_every_bench_has_a_section(tmp_path: Path):
    told = figures()
    assert told.keys() == SECTIONS.keys()
    for name, each in told.items():
        Path(tmp_path, f"{name}.json").write_text(json.dumps(each), encoding="utf-8")
    text = page(tmp_path)
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [
        title for title, _ in SECTIONS.values()
    ]
    assert "| openai | 1000 | 700 | 0.70 | 0.70-0.70 | 0.75 |" in text
    assert "| all | 61 | 60 **missed** |" in text
    assert "| fails-fast | 0.930 |" in text
    assert "| wall | 0.90 | >= 0.95 **missed** |" in text


def test_benches_that_were_not_run_are_left_out(tmp_path: Path):
    assert page(tmp_path) == ""


def test_a_bar_is_as_long_as_its_figure_says_and_cut_at_the_end():
    lines = bars({"one": 1.0, "a half": 0.5, "many": 9.0}, most=2.0).splitlines()[1:-1]
    assert lines == [f"one       1.00  {20 * '█'}", f"a half    0.50  {10 * '█'}", f"many      9.00  {40 * '█'}…"]


def test_a_table_s_figures_are_to_the_right():
    assert table(("what", "us"), [("a", 1)]).splitlines() == ["| what | us |", "| :-- | --: |", "| a | 1 |"]


def test_only_what_is_between_the_markers_changes():
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = put_between(text, "new")
    assert once == put_between(once, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="needs"):
        put_between("no markers", "new")


def test_the_documentation_has_a_place_for_the_figures():
    put_between(Path(ROOT, "docs", "benchmarks.md").read_text(encoding="utf-8"), "")

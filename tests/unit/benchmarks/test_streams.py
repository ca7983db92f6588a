"""The stream bench: its arithmetic, its server's bytes, and that it runs."""

import pytest

from benchmarks.streams.control import ServerProcess
from benchmarks.streams.hands import HANDS
from benchmarks.streams.measure import Comparison, Cost, Plan, Row, comparison, cost, measure
from benchmarks.streams.report import as_json, bar, head, line
from benchmarks.streams.server.recording import recording
from benchmarks.streams.ways import Reading
from flyllm.providers.registry import REGISTRY

PLAN = Plan(short=10, long=110, rounds=3)


def pair(short: float, long: float) -> tuple[Reading, Reading]:
    return Reading(short, 0.5), Reading(long, 0.7)


def row(target: str, flyllm: float) -> Row:
    costs = Comparison(Cost(20.0, 1000.0, 500.0), Cost(flyllm, 900.0, 450.0), flyllm / 20.0)
    return Row(target, costs, costs, (5, 1))


def test_what_short_and_long_streams_share_is_the_stream_s():
    found = cost([pair(0.002, 0.003), pair(0.002, 0.003), pair(0.9, 0.9)], PLAN)
    assert found.event == pytest.approx(10.0)
    assert found.fixed == pytest.approx(1900.0)
    assert found.first == pytest.approx(500_000.0)


def test_the_ratio_is_that_of_each_round():
    slow, fast = pair(0.002, 0.004), pair(0.001, 0.002)
    found = comparison([slow, slow, fast, fast, fast], [slow, slow, fast, fast, pair(0.001, 0.009)], PLAN)
    assert found.ratio == pytest.approx(1.0)


def test_every_provider_is_in_the_table():
    assert {target.partition("/")[0] for target in HANDS} == set(REGISTRY)


def test_a_row_above_its_bar_says_so():
    assert (bar("anthropic"), bar("ollama")) == (0.5, 1.1)
    assert line(row("anthropic", 10.0)).endswith("5/1")
    assert line(row("anthropic", 11.0)).endswith("above the bar")
    assert len(head().splitlines()[0]) <= 120


def test_the_figures_are_json_as_well():
    (found,) = as_json([row("groq", 5.0)], PLAN, PLAN)["rows"]
    assert (found["target"], found["at_once"]["ratio"], found["connections"]) == ("groq", 0.25, (5, 1))


def test_a_recorded_answer_is_cut_where_its_chunks_end():
    answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    parts = recording(answer).parts
    assert b"".join(parts) == answer
    assert [part[-5:] for part in parts] == [b"\r\n\r\n\r\n"[-5:], b"abc\r\n", b"0\r\n\r\n"]


def test_it_reads_the_same_words_in_both_ways():
    plan = Plan(short=2, long=4, rounds=1)
    with ServerProcess(["openai"]) as server:
        found = measure("openai", server, plan, plan)
    assert found.connections[1] == 1

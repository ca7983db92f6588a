"""The bench of threads: its arithmetic, and that it runs."""

import pytest

from benchmarks.processes import server
from benchmarks.threads.measure import WAYS, Row, Taken, measure
from benchmarks.threads.report import as_json, head, line, verdict


def taken(opened: int = 0, failure: str = "", **walls: float) -> dict[str, Taken]:
    return {way: Taken(walls.get(way, 1.0), 0.1, 8, opened, failure if way == "flyllm" else "") for way in WAYS}


def row(*rounds: dict[str, Taken], others: float | None = 0.1) -> Row:
    return Row("openai", 8, 80, rounds, 0.1, 0.001, others)


def test_flyllm_is_held_against_the_best_arrangement():
    found = row(taken(own=0.9, flyllm=1.0), taken(own=0.9, flyllm=1.0), taken(own=0.9, flyllm=3.0))
    assert (found.best, found.ratio) == ("own", pytest.approx(0.9))
    assert verdict(found) == "MISSED: throughput"


def test_connections_opened_meanwhile_count_against_it():
    assert row(taken(opened=4), taken(opened=0)).reused == pytest.approx(0.975)
    assert verdict(row(taken(opened=8))) == "MISSED: reuse"


def test_a_round_that_failed_has_no_time_and_is_told():
    found = row(taken(failure="RequestError: no free connection in the pool"), taken(flyllm=0.5))
    assert (found.ratio, len(found.failures), verdict(found)) == (2.0, 1, "MISSED: answers")


def test_a_line_says_what_disturbed():
    assert line(row(taken(), others=0.5)).endswith("met (?)")
    assert len(head().splitlines()) == 2
    (told,) = as_json([row(taken())], True)["rows"]
    assert (told["verdict"], told["rates"]["flyllm"]) == ("met", 80.0)


def test_every_way_has_the_same_requests_answered():
    with server("groq:0") as process:
        found = measure("groq", process, process.hear()["groq:0"], threads=3, requests=9, rounds=1)
    assert found.failures == []
    assert found.rounds[0]["flyllm"].warm <= 3

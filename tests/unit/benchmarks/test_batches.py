"""The batch bench: its arithmetic, its server, and that its parts run."""

import pytest

from benchmarks.bare import bare_wall
from benchmarks.batches.measured import flow, queued
from benchmarks.batches.plan import FULL
from benchmarks.batches.report import as_json, head, line, server_line
from benchmarks.batches.resident import IS_TOLD
from benchmarks.batches.rows import Row, wall_row
from benchmarks.batches.wall import DELAY, WAYS, Taken, Walls, measure_walls
from benchmarks.processes import Child, server
from benchmarks.server.port import is_whole

SERVED = {"answered": 600, "connections": 96, "cpu": 0.5, "late": 0.001, "latest": 0.004}

linux_only = pytest.mark.skipif(not IS_TOLD, reason="only Linux tells the peak of a process")


def taken(flyllm: float, shared: float, own: float) -> dict[str, Taken]:
    return {"flyllm": Taken(flyllm, 0.1), "shared": Taken(shared, 0.2), "own": Taken(own, 0.3)}


def walls(*rounds: dict[str, Taken], requests: int = 320, workers: int = 32) -> Walls:
    return Walls(workers, requests, 1.1, rounds, SERVED, 0.1)


def test_the_ideal_binds_where_the_sdk_by_hand_comes_below_it():
    assert walls(taken(1.25, 0.9, 0.8)).ratio == pytest.approx(1.0 / 1.25)


def test_the_better_arrangement_by_hand_binds_where_both_take_longer_than_the_ideal():
    assert walls(taken(2.0, 3.0, 1.8)).ratio == pytest.approx(0.9)


def test_the_ratio_is_the_median_of_those_of_each_round():
    calm, busy = taken(1.0, 1.1, 1.2), taken(5.0, 2.0, 2.0)
    assert walls(calm, calm, busy).ratio == pytest.approx(1.1)


def test_processor_time_is_told_per_request():
    assert walls(taken(1.0, 1.1, 1.2)).cpu("shared") == pytest.approx(0.2 / 320)


def test_a_figure_is_held_against_its_bar_and_one_without_a_bar_is_not():
    assert [Row("", figure, "", least=0.9).verdict for figure in (0.89, 0.9)] == ["MISSED", "met"]
    assert [Row("", figure, "", most=30).verdict for figure in (30, 31)] == ["met", "MISSED"]
    assert Row("", 1.0, "us").verdict == ""


def test_a_line_says_figure_bar_and_verdict():
    row = line(wall_row(walls(taken(1.25, 0.9, 0.8))))
    assert row.split()[3:7] == ["0.80", ">=", "0.95", "MISSED"]
    assert len(head().splitlines()) == 2
    assert "0.91 of the ideal" in server_line(walls(taken(1.0, 1.0, 1.0)))


def test_the_figures_are_json_as_well():
    found = walls(taken(1.0, 1.1, 1.2))
    told = as_json([wall_row(found)], [found], FULL)
    assert (told["rows"][0]["verdict"], told["walls"][0]["workers"]) == ("met", 32)


def test_the_server_knows_a_whole_request_from_a_part_of_one():
    request = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
    assert is_whole(request)
    assert not any(is_whole(request[:end]) for end in range(len(request)))


def test_every_way_has_the_same_requests_answered():
    with server("openai:0") as process:
        url = process.hear()["openai:0"]
        found = measure_walls(process, url, requests=12, workers=3, rounds=1)
        assert found.server["answered"] == 12 * len(WAYS)
        bare_wall(url, 5, 2)
        assert process.ask()["answered"] == 5
    assert found.ideal == pytest.approx(12 * DELAY / 3)


@linux_only
def test_the_memory_of_a_batch_and_of_what_is_queued_is_measured():
    assert flow(50, 2)["growth"] >= 0
    with Child("benchmarks.batches.measured", "queued", 3000, "journal") as child:
        assert child.hear()["bytes"] > 0
    assert queued(100, "text").keys() == {"bytes"}

"""The bench of calls: its arithmetic, its server, and that it runs."""

import pytest

from benchmarks.calls.measure import Plan, Row, measure
from benchmarks.calls.peer import PEERS
from benchmarks.calls.report import as_json, bar, head, line, peer_lines, share_line
from benchmarks.calls.share import Share, shares
from benchmarks.calls.timing import Taken, time_calls
from benchmarks.calls.ways import WAYS, by_hand
from benchmarks.processes import server
from benchmarks.sdks import SDKS
from flyllm.providers.registry import REGISTRY


def taken(sdk: float, flyllm: float) -> dict[str, Taken]:
    return {"sdk": Taken(sdk, sdk, sdk), "flyllm": Taken(flyllm, flyllm, flyllm), "all on": Taken(0.002, 0.002, 0.002)}


def row(*rounds: dict[str, Taken], provider: str = "openai", others: float | None = 0.0) -> Row:
    return Row(provider, rounds, 0.05, others, {})


def test_the_ratio_is_the_median_of_those_of_each_round():
    found = row(taken(0.001, 0.0007), taken(0.004, 0.0028), taken(0.001, 0.009))
    assert found.ratio("flyllm") == pytest.approx(0.7)
    assert found.cost("sdk").process == 0.001


def test_a_row_is_held_against_its_provider_s_bar_and_marked_where_others_disturbed():
    assert (bar("groq"), bar("anthropic"), bar("google"), bar("ollama")) == (0.75, 0.85, 0.95, 1.0)
    assert line(row(taken(0.001, 0.0007))).endswith("  met")
    assert line(row(taken(0.001, 0.0008), others=0.5)).endswith("MISSED (?)")
    assert len(head().splitlines()) == 2


def test_peers_stand_below_the_table_and_their_absence_is_said():
    others = {name: Taken(0.006, 0.006, 0.007) for name in PEERS}
    found = Row("openai", [taken(0.001, 0.002) | others], 0.1, None, dict.fromkeys(PEERS, "1.0"))
    assert "6.0 times the SDK by hand, 3.0 times flyllm" in peer_lines([found])[0]
    assert "left out: litellm" in peer_lines([row(taken(1.0, 1.0))])[0]


def test_a_share_is_held_against_its_bar():
    assert share_line(Share("all", 61.0, 60.0, 70.0, 60.0)).endswith("MISSED")
    assert share_line(Share("some", 61.0, 60.0, 70.0)).endswith("(60-70)")


def test_the_figures_are_json_as_well():
    told = as_json([row(taken(0.001, 0.0007))], [], 20_000.0, Plan(1, 1), True)
    assert (told["rows"][0]["ratio"], told["quick"]) == (pytest.approx(0.7), True)


def test_an_answer_without_text_or_usage_is_no_answer():
    with pytest.raises(RuntimeError, match="usage None"):
        time_calls(lambda _: ("text", None), 1)


ASKED = ("openai", "cohere", "ollama")
"""One SDK of each kind: each costs seconds to import."""


def test_providers_are_asked_by_hand_and_by_flyllm():
    assert list(SDKS) == list(REGISTRY)
    with server(*(f"{name}:0" for name in ASKED)) as process:
        urls = process.hear()
        for name in ASKED:
            for way in WAYS.values():
                with way(name, urls[f"{name}:0"]) as ask:
                    time_calls(ask, 1)
        assert process.ask()["answered"] == len(ASKED) * len(WAYS)


def test_it_measures_a_provider_and_flyllm_itself():
    with server("openai:0") as process:
        url = process.hear()["openai:0"]
        found = measure("openai", process, url, Plan(2, 2))
        assert len(found.rounds) == 2
        assert [share.bar for share in shares(url, 2, 1)] == [60.0, None, None, None]


def test_a_server_remembers_no_refusal():
    with server("openai:0") as process:
        url = process.hear()["openai:0"]
        with by_hand("openai", url + "/nowhere") as ask, pytest.raises(Exception, match="404"):
            ask("Hi")
        with by_hand("openai", url) as ask:
            assert ask("Hi")[0]

"""The simulator's handles: names, settings, determinism, lifetime."""

import json
import threading
from http.client import HTTPConnection
from typing import Any

import pytest

import flyllm.testing
from flyllm.testing import PROVIDERS, Call, ProviderSimulator, Reply
from flyllm.testing.wires.registry import ROWS, wires

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def post(sim: ProviderSimulator, name: str = "openai", **extra: Any) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", sim[name].port, timeout=5)
    try:
        headers = {"authorization": "Bearer k", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps({**BODY, **extra}), headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def text(answer: tuple[int, dict[str, str], bytes]) -> str:
    return str(json.loads(answer[2])["choices"][0]["message"]["content"])


def test_all_is_sorted_and_importable() -> None:
    """`__all__` is what the package offers, in order."""
    names = flyllm.testing.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(flyllm.testing, name) for name in names)


def test_the_registry_has_the_ten_providers() -> None:
    """Every provider of the library can be simulated, and each row's wires say they are that provider's."""
    from flyllm.types import ProviderType

    assert set(PROVIDERS) == {str(p) for p in ProviderType}
    for name in ROWS:
        assert {wire.provider for wire in wires(name)} == {name}


def test_providers_are_there_under_their_names() -> None:
    """Each opens on first use on a port of its own; further instances get names of their own."""
    with ProviderSimulator() as sim:
        assert len({sim.url(name) for name in PROVIDERS}) == 10
        assert sim.url() == sim["openai"].url
        assert sim.add("OpenAI").name == "openai-2"
        assert sim.add("openai", name="mine").name == "mine"
        assert [i.name for i in sim][-2:] == ["openai-2", "mine"]
        with pytest.raises(ValueError, match="named 'mine' already"):
            sim.add("groq", name="mine")
        with pytest.raises(ValueError, match="Unknown provider 'opnai'; valid are openai, anthropic"):
            sim.add("opnai")
        with pytest.raises(KeyError):
            sim["nobody"]


def test_same_seed_and_requests_give_the_same_bytes() -> None:
    """Answers, ids and headers follow from seed, instance name and the order of requests."""

    def run(seed: int) -> list[Any]:
        with ProviderSimulator(seed=seed) as sim:
            sim["openai"].set(error_rate=0.5)
            return [post(sim, stream=stream) for stream in (False, True) * 4]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_unknown_settings_are_errors_with_a_hint() -> None:
    """A misspelt setting names what was probably meant, and opens nothing."""
    with ProviderSimulator() as sim:
        with pytest.raises(TypeError, match="unknown setting 'latncy'; did you mean 'latency'"):
            sim.add("openai", latncy=1)
        with pytest.raises(TypeError, match="unknown setting 'retry'"):
            sim["openai"].fail(429, retry=1)
        assert text(post(sim))


def test_reset_returns_to_the_settings_of_add() -> None:
    """Scripts and records go, what `add` was given stays."""
    with ProviderSimulator() as sim:
        instance = sim.add("openai", keys={"k"}, reply="from add")
        instance.set(keys={"other"}).reply("later").fail(500)
        assert post(sim)[0] == 401
        sim.reset()
        assert (instance.count, instance.requests, instance.pending, instance.connections) == (0, [], 0, 0)
        assert text(post(sim)) == "from add"
        instance.fail(500, times=2).clear()
        assert text(post(sim)) == "from add"


def test_replies_are_texts_values_or_functions() -> None:
    """A function sees the call; `times` queues, otherwise the answer stays."""

    def echo(call: Call) -> Reply:
        return Reply(call.prompt.upper() + call.model)

    with ProviderSimulator() as sim:
        sim["openai"].reply(echo).reply("once", times=1)
        assert [text(post(sim)) for _ in range(3)] == ["once", "HIm", "HIm"]


def test_a_reply_function_that_raises_is_logged_and_answered_with_500(caplog: pytest.LogCaptureFixture) -> None:
    """The mistake in the test is seen, and the request does not hang."""
    with ProviderSimulator() as sim:
        sim["openai"].reply(lambda call: Reply(str(1 / 0)))
        assert post(sim)[0] == 500
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_was_read_is_over(stream: bool) -> None:
    """Who has read an answer finds its request recorded and nothing in flight."""
    with ProviderSimulator() as sim:
        sim["openai"].set(pace=0.0001, latency=0.0001)
        for number in range(1, 51):
            post(sim, stream=stream)
            assert (sim["openai"].count, sim["openai"].in_flight) == (number, 0)


def test_records_are_kept_as_asked() -> None:
    """`keep` bounds the records, the count goes on."""
    with ProviderSimulator(keep=2) as sim:
        for number in range(4):
            post(sim, user=str(number))
        assert [r.body["user"] for r in sim["openai"].requests] == ["2", "3"]
        assert sim["openai"].count == 4
        record = sim["openai"].requests[-1]
    assert (record.method, record.path, record.key, record.number) == ("POST", "/v1/chat/completions", "k", 4)
    assert record.headers["content-type"] == "application/json"
    assert json.loads(record.raw) == record.body


def test_scripting_while_running_loses_nothing() -> None:
    """Eight threads ask while others script: every queued answer is given exactly once."""
    with ProviderSimulator() as sim:
        sim["openai"].enqueue("queued", times=40)
        got: list[str] = []
        threads = [threading.Thread(target=lambda: got.extend(text(post(sim)) for _ in range(10))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got.count("queued") == 40
    assert len(got) == 80


def test_close_ends_everything_and_may_be_repeated() -> None:
    """After closing, ports refuse and the thread is gone."""
    before = threading.active_count()
    sim = ProviderSimulator()
    port = sim["openai"].port
    sim.close()
    sim.close()
    with pytest.raises(ConnectionError):
        HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")
    assert threading.active_count() == before


def test_wait_for_says_whether_it_came() -> None:
    """Waiting returns at once when the condition holds and False when it does not come."""
    with ProviderSimulator() as sim:
        threading.Timer(0.02, post, [sim]).start()
        assert sim["openai"].wait_for(lambda i: i.count == 1)
        assert not sim["openai"].wait_for(lambda i: i.count == 99, timeout=0.01)
        assert sim["openai"].wait_for(lambda i: i.open_connections == 0)

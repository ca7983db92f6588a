"""Rows 29 to 37: providers that say no, and whom it concerns: the key, the model, the request or everybody."""

import json

import pytest

from flyllm import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    LLMError,
    QuotaExceededError,
)
from flyllm.testing import Behaviour, ErrorKind, Reply
from tests.contract.fault_matrix.invariants import CANARY
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import STILL, World

ECHO = f"Incorrect API key provided: sk-CANARY0-{CANARY}0."


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(ErrorKind.QUOTA, id="quota", marks=row(29)),
        pytest.param(ErrorKind.AUTHENTICATION, id="key", marks=row(30)),
        pytest.param(ErrorKind.PERMISSION, id="permission", marks=row(32)),
        pytest.param(ErrorKind.MODEL_NOT_FOUND, id="model", marks=row(33)),
    ],
)
def test_an_instance_that_cannot_serve_is_asked_once(way: str, kind: ErrorKind) -> None:
    """One wire tells that a key, an account or a model is no use; all requests are answered by the others."""
    with World(3, speed=STILL) as world:
        world.servers[0].fail(kind, times=None)
        world.send(way, 15)
        assert not world.failures
        assert world.servers[0].count == 1
        assert world.wire == 16


@row(30)
def test_a_key_that_is_fixed_is_found_out(way: str) -> None:
    """After a minute one request looks whether the key works now; if so, all is as before."""
    with World(3, speed=STILL) as world:
        world.servers[0].set(keys={"another"})
        world.send(way, 6)
        assert world.servers[0].count == 1
        world.servers[0].set(keys=None)
        world.clock.skip(60.0)
        world.until(way, lambda: world.servers[0].count >= 3)
        assert not world.failures


@row(30)
def test_an_echoed_key_does_not_show(way: str, count: int) -> None:
    """Providers repeat the key they refuse; no message, log line, traceback or pickle of ours does."""
    with World(count, max_retries=0) as world:
        for server in world.servers:
            server.fail(ErrorKind.AUTHENTICATION, times=None, message=ECHO)
        (result,) = world.send(way)
        assert isinstance(result.error, AuthenticationError)
        assert "Incorrect API key" in str(result.error)


@row(31)
@pytest.mark.parametrize(
    ("kind", "error"),
    [(ErrorKind.AUTHENTICATION, AuthenticationError), (ErrorKind.QUOTA, QuotaExceededError)],
    ids=["401", "402"],
)
def test_where_no_key_works_the_error_comes_at_once(
    way: str, count: int, kind: ErrorKind, error: type[LLMError]
) -> None:
    """Nobody waits for keys to heal: the first request asks each instance once, later ones ask none."""
    with World(*["openai", "anthropic", "openai"][:count], speed=STILL) as world:
        for server in world.servers:
            server.fail(kind, times=None)
        results = world.send(way, 4)
        assert all(isinstance(result.error, error) for result in results)
        assert all(result.seconds < 20.0 for result in results)  # a busy machine; keys heal in a minute at the soonest
        assert world.wire <= count


def _refusal(code: str | None, message: str) -> Behaviour:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    return Behaviour(status=403, body=json.dumps(body).encode())


@row(32)
def test_a_403_that_names_no_permission_ejects_nobody(way: str) -> None:
    """Some providers say 403 for a refused region or prompt: the request goes elsewhere, the instance stays in."""
    with World(3) as world:
        world.servers[0].enqueue(_refusal(None, "Not available in your region."))
        world.send(way, 12)
        assert not world.failures
        assert world.wire == 13
        assert world.servers[0].count >= 3


@row(32)
def test_two_such_403_in_a_row_eject(way: str) -> None:
    """Two different requests refused in a row: it is the key after all."""
    with World(3, speed=STILL) as world:
        world.servers[0].always(_refusal(None, "Forbidden."))
        world.send(way, 12)
        assert not world.failures
        assert world.servers[0].count == 2


@row(32)
def test_a_403_for_moderation_is_about_the_request(way: str) -> None:
    """A flagged prompt is an answer: one wire, no failover, no ejection."""
    with World(1) as world:
        world.servers[0].always(_refusal("moderation", "Your prompt was flagged by moderation."))
        results = world.send(way, 3)
        assert all(isinstance(result.error, ContentFilterError) for result in results)
        assert world.wire == 3


@row(34)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_invalid_request_is_not_repeated_to_the_same_model(way: str, status: int) -> None:
    """Three keys of one model: one wire, for the others would say the same."""
    with World("openai", "openai", "openai") as world:
        for server in world.servers:
            server.fail(status, times=None)
        (result,) = world.send(way)
        assert isinstance(result.error, InvalidRequestError)
        assert result.error.status_code == status
        assert world.wire == 1


@row(34)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_invalid_request_is_tried_once_per_model(way: str, count: int, status: int) -> None:
    """Another provider may take what one refuses, so each distinct one is asked, once."""
    with World(count) as world:
        for server in world.servers:
            server.fail(status, times=None)
        (result,) = world.send(way)
        assert isinstance(result.error, InvalidRequestError)
        assert [server.count for server in world.servers] == [1] * count


@row(34)
def test_an_invalid_request_harms_no_instance(way: str) -> None:
    """However many bad requests an instance refuses, good ones still go there."""
    with World(1, max_retries=0) as world:
        world.servers[0].fail(400, times=15)
        world.send(way, 15)
        assert len(world.failures) == 15
        assert all(result.ok for result in world.send(way, 5))


def _models(count: int, windows: list[int | None]) -> dict[int, dict[str, object]]:
    return {n: {"model": f"model-{n}", "context_window": windows[n], "priority": n} for n in range(count)}


@row(35)
def test_a_request_too_long_goes_to_a_larger_window_once(way: str) -> None:
    """Of the models that may take over only one with a larger declared window is asked."""
    with World("openai", "openai", "openai", only=_models(3, [8000, 4000, 128000])) as world:
        world.servers[0].fail(ErrorKind.CONTEXT_LENGTH, times=None)
        world.send(way, 3)
        assert not world.failures
        assert [server.count for server in world.servers] == [3, 0, 3]


@row(35)
def test_a_request_too_long_for_all_is_raised(way: str, count: int) -> None:
    """Where no larger window is declared the error comes after one wire."""
    with World(*["openai"] * count, only=_models(count, [8000, 8000, 4000])) as world:
        for server in world.servers:
            server.fail(ErrorKind.CONTEXT_LENGTH, times=None)
        (result,) = world.send(way)
        assert isinstance(result.error, ContextLengthError)
        assert world.wire == 1


@row(36)
def test_a_filtered_request_is_one_wire_and_one_error(way: str, count: int) -> None:
    """Nobody shops around with a refused prompt."""
    with World(*["openai"] * count) as world:
        for server in world.servers:
            server.always(_refusal("content_filter", "Refused by the content management policy."), status=400)
        (result,) = world.send(way)
        assert isinstance(result.error, ContentFilterError)
        assert world.wire == 1


@row(36)
def test_a_filtered_answer_is_an_answer_that_says_so(way: str, count: int) -> None:
    """A 200 that ends by the filter is given as it is, with its finish reason."""
    with World(*["openai"] * count, echoes=False) as world:
        for server in world.servers:
            server.always(Reply("I can", finish="content_filter"))
        (result,) = world.send(way)
        assert result.response is not None
        assert result.response.finish_reason == "content_filter"
        assert result.text == "I can"
        assert world.wire == 1


@row(36)
@pytest.mark.parametrize("refused", [True, False], ids=["400", "200"])
def test_another_model_is_asked_where_the_request_wants_that(way: str, refused: bool) -> None:
    """Each other model once, not another key of the same one; a stream only while it has brought nothing."""
    with World(
        "openai", "openai", "mistral", only={0: {"priority": 0}, 1: {"priority": 1}, 2: {"priority": 2}}
    ) as world:
        for server in world.servers[:2]:
            if refused:
                server.always(_refusal("content_filter", "Refused by the content management policy."), status=400)
            else:
                server.always(Reply("", finish="content_filter"))
        (result,) = world.send(way, fail_on={"content_filter"})
        assert result.ok
        assert [attempt.outcome for attempt in result.attempts] == ["ContentFilterError", "success"]  # type: ignore[attr-defined]
        assert [server.count for server in world.servers] == [1, 0, 1]


@row(36)
def test_where_all_models_refuse_that_is_the_error(way: str) -> None:
    """Nothing is tried twice."""
    with World("openai", "openai", only={1: {"model": "model-2"}}) as world:
        for server in world.servers:
            server.always(Reply("", finish="content_filter"))
        (result,) = world.send(way, fail_on={"content_filter"})
        assert isinstance(result.error, ContentFilterError)
        assert world.wire == 2


@row(37)
def test_an_overloaded_provider_is_left_for_another(way: str) -> None:
    """529 means "all users": the next attempt goes to another provider, not to another key of the same."""
    with World("anthropic", "anthropic", "openai") as world:
        for server in world.servers[:2]:
            server.fail(ErrorKind.OVERLOADED, times=None)
        world.send(way, 9)
        assert not world.failures
        for result in world.results:
            seconds = [attempt.provider for attempt in result.attempts[1:2]]  # type: ignore[attr-defined]
            assert seconds in ([], ["openai"])


@row(37)
def test_an_overloaded_provider_is_given_less(way: str) -> None:
    """A 529 lowers the ceiling and the other provider carries on."""
    with World("anthropic", "openai") as world:
        for server in world.servers:
            server.set(latency=0.01)
        world.servers[0].fail(ErrorKind.OVERLOADED, times=6)
        before = world.manager.instances[0].max_concurrency
        world.send(way, 30, workers=6)
        assert not world.failures
        assert world.manager.instances[0].max_concurrency < before

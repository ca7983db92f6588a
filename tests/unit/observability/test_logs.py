"""Rules of the log lines."""

import logging

import pytest

from flyllm.errors import AuthenticationError, LLMError, RateLimitError, ServerError
from flyllm.observability.events import AttemptStart, InstanceEvent
from flyllm.observability.logs import RequestLog
from flyllm.request import GenerationRequest
from tests.unit.fakes import FakeProvider, core, instance

Lines = list[tuple[str, str]]


def lines(caplog: pytest.LogCaptureFixture, *script: object, others: int = 0) -> Lines:
    """Return what is logged of a request that goes to i0 first, which answers by the script."""
    request = GenerationRequest("the prompt", task="t")
    with caplog.at_level(logging.DEBUG, "flyllm"):
        places = [instance(0, FakeProvider(*script), tasks=frozenset({"t"}))]
        places += [instance(number, tasks=frozenset({"t"})) for number in range(1, others + 1)]
        core(*places, observers=[RequestLog()]).run(request)
    return told(caplog)


def told(caplog: pytest.LogCaptureFixture) -> Lines:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_healthy_request_logs_nothing_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs at INFO sees nothing of what works."""
    assert lines(caplog) == [("DEBUG", "request r1: attempt 1 at i0: success in 0.000 s")]


def test_a_retry_is_one_line_and_its_reason_another(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that a retry cured says where and why."""
    failed, again, _ = lines(caplog, ServerError("HTTP 500"))
    assert failed == ("INFO", "request r1: attempt 1 at i0 failed after 0.000 s: ServerError: HTTP 500")
    assert again[0] == "INFO"
    assert again[1].startswith("request r1: attempt 2 at i0 as a retry, after ")


def test_a_failover_says_from_where_to_where(caplog: pytest.LogCaptureFixture) -> None:
    """One line has both instances."""
    _, over, _ = lines(caplog, ServerError("HTTP 500"), others=1)
    assert over == ("INFO", "request r1: attempt 2 at i1 as a failover from i0, after 0.000 s")


def test_a_hedge_is_neither(caplog: pytest.LogCaptureFixture) -> None:
    """The attempt beside which it is made has not failed."""
    start = AttemptStart("r1", 2, 1, "i1", "openai", "m", 0.0, "hedge", None, GenerationRequest("x"))
    with caplog.at_level(logging.INFO, "flyllm"):
        RequestLog().on_start(start)
    assert told(caplog) == [("INFO", "request r1: attempt 2 at i1 beside one that takes long, after 0.000 s")]


def test_a_failed_request_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The request's own line has task, attempts and the error raised."""
    found = lines(caplog, AuthenticationError("HTTP 401: no"))
    text = "request r1 (task t) failed after 1 attempts and 0.000 s: AuthenticationError: HTTP 401: no"
    assert text in [line[1] for line in found if line[0] == "WARNING"]


def test_a_refused_key_is_a_warning_of_its_instance(caplog: pytest.LogCaptureFixture) -> None:
    """Its owner has to do something; the request itself was answered elsewhere."""
    warnings = [line for line in lines(caplog, AuthenticationError("HTTP 401: no"), others=1) if line[0] == "WARNING"]
    (text,) = [line[1] for line in warnings]
    assert text.startswith("instance i0 is taken out and tried again in ")
    assert text.endswith(" s: AuthenticationError: HTTP 401: no")


def test_a_rest_is_information(caplog: pytest.LogCaptureFixture) -> None:
    """Rate limits are daily bread."""
    found = lines(caplog, RateLimitError("HTTP 429", retry_after=7.0), others=1)
    (text,) = [text for _, text in found if text.startswith("instance")]
    assert text.startswith("instance i0 rests for ")
    assert text.endswith(" s: RateLimitError: HTTP 429")


def test_an_instance_that_is_back_is_information(caplog: pytest.LogCaptureFixture) -> None:
    """The end of an outage can be read in the log."""
    with caplog.at_level(logging.INFO, "flyllm"):
        RequestLog().on_instance(InstanceEvent(0, "i0", "openai", "m", "recovered"))
    assert told(caplog) == [("INFO", "instance i0 answers again")]


@pytest.mark.parametrize("error", [ServerError("x"), AuthenticationError("y")])
def test_no_line_has_the_prompt(caplog: pytest.LogCaptureFixture, error: LLMError) -> None:
    """Logs are read by more people than prompts are written for."""
    assert not any("the prompt" in text for _, text in lines(caplog, error))

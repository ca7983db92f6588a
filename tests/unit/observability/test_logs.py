"""Rules of the log lines."""

import logging

import pytest

from flyllm.errors import AuthenticationError, ServerError
from flyllm.observability.logs import RequestLog
from flyllm.request import GenerationRequest
from tests.unit.fakes import FakeProvider, core, instance


def lines(caplog: pytest.LogCaptureFixture, *script: object, retries: int = 5) -> list[tuple[str, str]]:
    request = GenerationRequest("the prompt", task="t")
    with caplog.at_level(logging.DEBUG, "flyllm.requests"):
        place = instance(0, FakeProvider(*script), tasks=frozenset({"t"}))
        core(place, observers=[RequestLog()], max_retries=retries).run(request)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_healthy_request_logs_nothing_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs at INFO sees nothing of what works."""
    assert lines(caplog) == [("DEBUG", "attempt 1 at i0: success in 0.000 s")]


def test_a_failed_attempt_is_one_line_of_information(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that a retry cured says where and why."""
    assert lines(caplog, ServerError("HTTP 500"))[0] == (
        "INFO",
        "attempt 1 at i0 failed after 0.000 s: ServerError: HTTP 500",
    )


def test_a_failed_request_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The request's own line has task, attempts and the error raised."""
    found = lines(caplog, AuthenticationError("HTTP 401: no"))
    assert [line for line in found if line[0] == "WARNING"] == [
        ("WARNING", "request (task t) failed after 1 attempts and 0.000 s: AuthenticationError: HTTP 401: no")
    ]


def test_no_line_has_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    """Logs are read by more people than prompts are written for."""
    found = lines(caplog, ServerError("x"), AuthenticationError("y"))
    assert not any("the prompt" in text for _, text in found)

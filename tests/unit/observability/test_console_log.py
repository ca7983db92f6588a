"""Rules of log lines on stderr."""

import logging
from collections.abc import Iterator

import pytest

from flyllm import use_logging
from flyllm.errors import ConfigError
from flyllm.observability.console_log import use_logging_if_wanted

LOGGER = logging.getLogger("flyllm")
REQUESTS = logging.getLogger("flyllm.requests")


@pytest.fixture(autouse=True)
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins without, and leaves nothing."""
    monkeypatch.delenv("FLYLLM_LOG", raising=False)
    before = (list(LOGGER.handlers), LOGGER.level, LOGGER.propagate)
    yield
    LOGGER.handlers[:], LOGGER.level, LOGGER.propagate = before
    LOGGER.setLevel(before[1])


def test_lines_go_to_stderr_from_the_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    use_logging("info")
    REQUESTS.debug("too much")
    REQUESTS.info("one line")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("INFO    flyllm.requests: one line\n")
    assert "too much" not in told.err


def test_asking_again_changes_the_level_and_doubles_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    use_logging("error")
    use_logging("DEBUG")
    REQUESTS.debug("once")
    assert capsys.readouterr().err.count("once") == 1


def test_the_root_logger_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """No handler there, and no line of ours by its handlers as well."""
    handlers, level = list(logging.root.handlers), logging.root.level
    use_logging()
    REQUESTS.info("ours")
    logging.getLogger("theirs").debug("theirs")
    assert (list(logging.root.handlers), logging.root.level) == (handlers, level)
    assert capsys.readouterr().err.count("ours") == 1


def test_the_environment_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYLLM_LOG", "debug")
    use_logging()
    assert LOGGER.level == logging.DEBUG


def test_a_configuration_may_ask_and_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    use_logging_if_wanted(None)
    assert LOGGER.level == logging.NOTSET
    use_logging_if_wanted("warning")
    assert LOGGER.level == logging.WARNING
    monkeypatch.setenv("FLYLLM_LOG", "debug")
    use_logging_if_wanted("error")
    assert LOGGER.level == logging.DEBUG


@pytest.mark.parametrize("level", ["verbose", "", "20", 20])
def test_any_other_level_is_an_error_that_names_the_right_ones(level: str) -> None:
    with pytest.raises(ConfigError, match="debug, info, warning, error"):
        use_logging(level)


def test_a_wrong_level_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYLLM_LOG", "loud")
    with pytest.raises(ConfigError, match="FLYLLM_LOG must be one of"):
        use_logging()

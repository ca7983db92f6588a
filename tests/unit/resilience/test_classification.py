"""Rules of what a failure means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm import errors
from flyllm._resilience.classification import Exclusion, classify, most_actionable
from flyllm.errors import APIError, InvalidRequestError, LLMError, RequestError, ServerError
from tests.unit.test_errors import tree

TABLE = [
    # error, retry, exclusion, harms
    ("AuthenticationError", True, Exclusion.INSTANCE, True),
    ("QuotaExceededError", True, Exclusion.INSTANCE, True),
    ("ModelNotFoundError", True, Exclusion.INSTANCE, True),
    ("RateLimitError", True, Exclusion.NOTHING, True),
    ("OverloadedError", True, Exclusion.NOTHING, True),
    ("ServerError", True, Exclusion.NOTHING, True),
    ("InvalidRequestError", True, Exclusion.MODEL, False),
    ("ContextLengthError", False, Exclusion.NOTHING, False),
    ("ContentFilterError", False, Exclusion.NOTHING, False),
    ("APIError", True, Exclusion.NOTHING, True),
    ("RequestError", True, Exclusion.NOTHING, True),
    ("ParseError", True, Exclusion.NOTHING, True),
    ("ProviderError", True, Exclusion.PROVIDER, True),
    ("StreamInterruptedError", False, Exclusion.NOTHING, True),
    ("ConfigError", True, Exclusion.PROVIDER, True),
    ("MissingDependencyError", True, Exclusion.PROVIDER, True),
    ("NoInstanceError", False, Exclusion.NOTHING, False),
    ("DeadlineExceededError", False, Exclusion.NOTHING, True),
    ("ManagerClosedError", False, Exclusion.NOTHING, True),
    ("LLMError", False, Exclusion.NOTHING, True),
]


@pytest.mark.parametrize(("name", "retry", "exclude", "harms"), TABLE, ids=[row[0] for row in TABLE])
def test_the_table_says_what_a_failure_means(name: str, retry: bool, exclude: Exclusion, harms: bool) -> None:
    """Each class has its own answer to: again? where not? whose fault?"""
    verdict = classify(getattr(errors, name)("x"))
    assert (verdict.retry, verdict.exclude, verdict.harms) == (retry, exclude, harms)


def test_the_table_has_every_class() -> None:
    """A new error class needs a row here."""
    assert {row[0] for row in TABLE} == {kind.__name__ for kind in tree()}


@pytest.mark.parametrize("kind", [kind for kind in tree() if issubclass(kind, APIError)], ids=lambda k: k.__name__)
def test_a_server_that_says_no_retry_is_not_asked_again(kind: type[APIError]) -> None:
    """`x-should-retry: false` rules the whole provider out, and makes nothing retryable that was not."""
    verdict = classify(kind("x", should_retry=False))
    assert verdict.exclude is Exclusion.PROVIDER
    assert verdict.retry is classify(kind("x")).retry


def test_a_server_that_says_retry_lifts_an_unknown_refusal() -> None:
    """`x-should-retry: true` makes a 4xx a passing failure, but not one whose reason is known."""
    assert classify(InvalidRequestError("x", should_retry=True)) == classify(ServerError("x"))
    assert not classify(errors.ContextLengthError("x", should_retry=True)).retry


def test_a_local_failure_does_not_harm_the_instance() -> None:
    """That this process has no free socket says nothing about the provider."""
    assert not classify(RequestError("no file", local=True)).harms
    assert classify(RequestError("cut")).harms


def test_a_subclass_of_a_users_own_is_classified_by_its_base() -> None:
    """An adapter may refine an error without a row in the table."""

    class Throttled(errors.RateLimitError):
        pass

    assert classify(Throttled("x")) == classify(errors.RateLimitError("x"))


ERRORS = st.lists(st.sampled_from(tree()).map(lambda kind: kind("x")), min_size=1, max_size=8)


@given(ERRORS)
def test_the_error_raised_is_the_last_of_the_most_actionable(failures: list[LLMError]) -> None:
    """Of several errors the owner gets the one to act on; of equals the latest."""
    chosen = most_actionable(failures)
    best = max(classify(error).actionable for error in failures)
    assert chosen is [error for error in failures if classify(error).actionable == best][-1]


@pytest.mark.parametrize(
    "first", ["AuthenticationError", "QuotaExceededError", "InvalidRequestError", "RateLimitError"]
)
@pytest.mark.parametrize("then", ["ServerError", "RequestError", "ParseError", "NoInstanceError"])
def test_what_the_owner_can_act_on_beats_what_passes_by_itself(first: str, then: str) -> None:
    """A wrong key is not hidden by a later hiccup of another instance."""
    actionable = getattr(errors, first)("x")
    assert most_actionable([actionable, getattr(errors, then)("y")]) is actionable


def test_that_nobody_is_left_hides_no_reason() -> None:
    """ "No instance" is raised only where no instance has failed before."""
    failed = ServerError("HTTP 500")
    assert most_actionable([failed, errors.NoInstanceError("all disabled")]) is failed

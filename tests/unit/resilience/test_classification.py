"""Rules of what a failure means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm import errors
from flyllm._resilience.classification import Exclusion, Signal, classify, most_actionable
from flyllm.errors import APIError, AuthenticationError, InvalidRequestError, LLMError, RequestError, ServerError
from tests.unit.test_errors import tree

WHOLE, HERE, MODEL, PROVIDER = Exclusion.NOTHING, Exclusion.INSTANCE, Exclusion.MODEL, Exclusion.PROVIDER
GOOD, ALIVE, SOFT, HARD, NONE = Signal.GOOD, Signal.ALIVE, Signal.SOFT, Signal.HARD, Signal.NONE

TABLE = [
    # error, retry, exclusion, signal, seconds of ejection, what else is true of it
    ("AuthenticationError", True, HERE, NONE, 60.0, {"counted"}),
    ("QuotaExceededError", True, HERE, NONE, 300.0, {"counted"}),
    ("ModelNotFoundError", True, HERE, NONE, 300.0, {"counted"}),
    ("RateLimitError", True, WHOLE, ALIVE, None, {"overload"}),
    ("OverloadedError", True, WHOLE, SOFT, None, {"overload", "elsewhere", "counted", "pays"}),
    ("ServerError", True, WHOLE, SOFT, None, {"counted", "pays"}),
    ("InvalidRequestError", True, MODEL, ALIVE, None, {"counted"}),
    ("ContextLengthError", True, MODEL, ALIVE, None, {"counted"}),
    ("ContentFilterError", False, WHOLE, ALIVE, None, {"counted"}),
    ("APIError", True, WHOLE, SOFT, None, {"counted", "pays"}),
    ("RequestError", True, WHOLE, SOFT, None, {"counted", "pays"}),
    ("ParseError", True, WHOLE, SOFT, None, {"counted", "pays"}),
    ("ProviderError", True, PROVIDER, NONE, None, {"counted"}),
    ("UnusableAnswerError", True, WHOLE, ALIVE, None, {"counted", "pays"}),
    ("EmptyAnswerError", True, WHOLE, ALIVE, None, {"counted", "pays"}),
    ("TruncatedAnswerError", True, MODEL, ALIVE, None, {"counted"}),
    ("InvalidOutputError", False, WHOLE, ALIVE, None, {"counted"}),
    ("StreamInterruptedError", False, WHOLE, SOFT, None, {"counted"}),
    ("ConfigError", True, PROVIDER, NONE, None, {"counted"}),
    ("MissingDependencyError", True, PROVIDER, NONE, None, {"counted"}),
    ("BatchStoppedError", False, WHOLE, NONE, None, {"counted"}),
    ("BudgetExceededError", False, WHOLE, NONE, None, {"counted"}),
    ("ToolRoundsExceededError", False, WHOLE, NONE, None, {"counted"}),
    ("NoInstanceError", False, WHOLE, NONE, None, {"counted"}),
    ("DeadlineExceededError", False, WHOLE, NONE, None, {"counted"}),
    ("ManagerClosedError", False, WHOLE, NONE, None, {"counted"}),
    ("LLMError", False, WHOLE, NONE, None, {"counted"}),
]


@pytest.mark.parametrize(("name", "retry", "exclude", "signal", "eject", "flags"), TABLE, ids=[row[0] for row in TABLE])
def test_the_table_says_what_a_failure_means(
    name: str, retry: bool, exclude: Exclusion, signal: Signal, eject: float | None, flags: set[str]
) -> None:
    """Each class has its own answer: again, and where not? What of the instance, the bounds and the budget?"""
    verdict = classify(getattr(errors, name)("x"))
    assert (verdict.retry, verdict.exclude, verdict.signal, verdict.eject) == (retry, exclude, signal, eject)
    assert {flag for flag in ("overload", "elsewhere", "counted", "pays") if getattr(verdict, flag)} == flags


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
    for known in (errors.ContextLengthError, errors.ContentFilterError):
        assert classify(known("x", should_retry=True)) == classify(known("x"))


@pytest.mark.parametrize("sent", [True, False])
def test_a_local_failure_says_nothing_of_the_instance(sent: bool) -> None:
    """That this process has no free socket says nothing about the provider."""
    assert classify(RequestError("no file", local=True, sent=sent)).signal is Signal.NONE


def test_what_was_never_sent_costs_no_token_and_is_a_hard_sign() -> None:
    """No connection: the provider had no work with it, and the instance is down rather than faulty."""
    verdict = classify(RequestError("refused", sent=False))
    assert (verdict.signal, verdict.pays, verdict.retry) == (Signal.HARD, False, True)


@pytest.mark.parametrize("code", ["permission_denied", "invalid_api_key", "authentication_error", "UNAUTHENTICATED"])
def test_a_403_that_names_the_key_gives_the_key_up(code: str) -> None:
    """With a code that speaks of the key one 403 is enough, as a 401 is."""
    assert classify(AuthenticationError("x", status_code=403, code=code)).eject == 60.0
    assert classify(AuthenticationError("x", status_code=401)).eject == 60.0


@pytest.mark.parametrize("code", [None, "", "region_blocked", "moderation"])
def test_a_403_that_does_not_leaves_the_instance_to_others(code: str | None) -> None:
    """Some providers say 403 to a prompt or a region: this request goes elsewhere, the key is not given up."""
    verdict = classify(AuthenticationError("x", status_code=403, code=code))
    assert (verdict.eject, verdict.exclude, verdict.retry) == (None, Exclusion.INSTANCE, True)


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


RANKS = [
    ["NoInstanceError"],
    ["ServerError", "OverloadedError", "RequestError", "ParseError"],
    ["RateLimitError"],
    ["InvalidRequestError", "ProviderError"],
    ["AuthenticationError", "QuotaExceededError", "ModelNotFoundError", "ConfigError"],
    ["ContextLengthError", "ContentFilterError", "StreamInterruptedError"],
    ["DeadlineExceededError", "ManagerClosedError"],
]


def test_errors_rank_by_who_can_act_on_them() -> None:
    """What passes by itself, then waiting, the request, the configuration, the prompt, and the caller's own end."""
    ranks = [{classify(getattr(errors, name)("x")).actionable for name in names} for names in RANKS]
    assert ranks == [{-1}, {0}, {1}, {2}, {3}, {4}, {5}]


def test_that_nobody_is_left_hides_no_reason() -> None:
    """ "No instance" is raised only where no instance has failed before."""
    failed = ServerError("HTTP 500")
    assert most_actionable([failed, errors.NoInstanceError("all disabled")]) is failed

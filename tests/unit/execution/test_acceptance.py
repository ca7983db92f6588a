"""Rules of answers that a request does not take: of a kind it wants to fail, or not of the form it wants."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from flyllm import GenerationRequest, LLMResponse
from flyllm.errors import (
    ContentFilterError,
    DeadlineExceededError,
    EmptyAnswerError,
    InvalidOutputError,
    ServerError,
    TruncatedAnswerError,
)
from flyllm.providers.base import Completion, Delta
from flyllm.types import TokenUsage, ToolCall
from tests.unit.fakes import Core, FakeProvider, completion, core, instance


class Person(BaseModel):
    name: str
    age: int


ANN, WRONG, WORSE = '{"name":"Ann","age":3}', '{"name":"Ann"}', "Ann is three."
PERSON = Person(name="Ann", age=3)
CUT = replace(completion("half"), finish_reason="length")
FILTERED = replace(completion("..."), finish_reason="content_filter")
CALLS = replace(completion(""), tool_calls=(ToolCall("c", "f", "{}"),), finish_reason="tool_calls")


def asked(*scripts: Any, max_retries: int = 5, **fields: Any) -> tuple[LLMResponse, list[FakeProvider], Core]:
    """What becomes of a request with these fields; each script is one instance's."""
    adapters = [FakeProvider(*script) for script in scripts]
    running = core(*(instance(n, adapter) for n, adapter in enumerate(adapters)), max_retries=max_retries)
    return running.run(GenerationRequest(**{"prompt": "Who?", **fields})), adapters, running


def outcomes(response: LLMResponse) -> list[tuple[int, str]]:
    return [(attempt.instance_id, attempt.outcome) for attempt in response.attempts]


# The form of an answer


def test_an_answer_of_the_form_wanted_is_parsed() -> None:
    """The text stays beside it."""
    response, _, _ = asked([ANN], response_format=Person)
    assert (response.parsed, response.content) == (PERSON, ANN)


def test_an_answer_of_another_form_is_an_error_that_has_it() -> None:
    """One request, no second one; its tokens are counted; nobody thinks worse of the instance."""
    response, (adapter,), running = asked([completion(WRONG, TokenUsage(5, 6, 11))], response_format=Person)
    error = response.error
    assert isinstance(error, InvalidOutputError)
    assert str(error) == "the answer is not of the form wanted: age: Field required"
    assert error.faults == ("age: Field required",)
    assert error.answer is not None
    assert (error.answer.content, error.answer.usage.total_tokens, error.request_id) == (WRONG, 11, "call-1")
    assert error.answer.attempts == error.attempts == response.attempts
    assert response.attempts[0].usage.total_tokens == running.usage.total().total_tokens == 11
    assert len(adapter.requests) == 1
    assert running.pool.snapshots()[0].failures == 0


def test_calls_have_no_form() -> None:
    """The model wants a function called first; the form is that of the answer at the end."""
    response, _, _ = asked([CALLS], response_format=Person)
    assert (response.parsed, response.success) == (None, True)


@pytest.mark.parametrize(
    ("answer", "why"),
    [(CUT, "it was cut at its limit"), (FILTERED, "it was cut or replaced by the provider's content filter")],
)
def test_an_answer_that_was_cut_says_so_first(answer: Completion, why: str) -> None:
    """That half a JSON is none is not what its owner can act on."""
    response, _, _ = asked([answer], response_format=Person)
    assert isinstance(response.error, InvalidOutputError)
    assert response.error.faults[0].startswith(why)


def test_the_model_is_told_what_is_wrong_and_asked_again() -> None:
    """Of several wrong answers only the last one stands in the conversation."""
    response, (adapter,), running = asked([WRONG, WORSE, ANN], response_format=Person, retry_invalid=2)
    assert response.parsed == PERSON
    assert outcomes(response) == [(0, "InvalidOutputError"), (0, "InvalidOutputError"), (0, "success")]
    second, third = ([m["content"] for m in request.messages] for request in adapter.requests[1:])
    assert second[:2] == ["Who?", WRONG]
    assert "- age: Field required\n" in second[2]
    assert third[:2] == ["Who?", WORSE]
    assert len(third) == 3
    assert running.clock.now == 1000.0


def test_an_empty_answer_is_not_repeated_to_the_model() -> None:
    """Several providers refuse an empty message."""
    _, (adapter,), _ = asked(["", ANN], response_format=Person, retry_invalid=1)
    assert [message["role"] for message in adapter.requests[1].messages] == ["user", "user"]


def test_it_is_asked_again_as_often_as_wanted_and_no_more() -> None:
    """Whatever `max_retries` says, which is about failures."""
    response, (adapter,), _ = asked([WRONG] * 40, response_format=Person, retry_invalid=25, max_retries=0)
    assert isinstance(response.error, InvalidOutputError)
    assert len(adapter.requests) == 26


def test_failures_in_between_count_for_themselves() -> None:
    """The correction goes along to whoever is asked next."""
    response, (first, second), _ = asked(
        [WRONG, ServerError("x")], [ANN], response_format=Person, retry_invalid=1, max_retries=1
    )
    assert outcomes(response) == [(0, "InvalidOutputError"), (0, "ServerError"), (1, "success")]
    assert second.requests[0].messages == first.requests[1].messages
    assert first.requests[1].messages[1] == {"role": "assistant", "content": WRONG}


def test_an_invalid_answer_fails_over_where_that_is_wanted() -> None:
    """To another model, which is asked as the first one was."""
    response, (_, second), _ = asked([WRONG], [ANN], response_format=Person, fail_on={"invalid"})
    assert outcomes(response) == [(0, "InvalidOutputError"), (1, "success")]
    assert [message["content"] for message in second.requests[0].messages] == ["Who?"]


def test_models_are_told_before_others_are_asked() -> None:
    """Both ways together: the same model first, then another one, which is asked as the first one was."""
    response, (first, second), _ = asked(
        [WRONG, WRONG], [WRONG], response_format=Person, fail_on={"invalid"}, retry_invalid=1
    )
    assert outcomes(response) == [(n, "InvalidOutputError") for n in (0, 0, 1)]
    assert [len(request.messages) for request in (*first.requests, *second.requests)] == [1, 3, 1]


def test_the_deadline_is_over_all_of_it() -> None:
    """Nothing is asked again after it."""
    adapter = FakeProvider(otherwise=WRONG)
    running = core(instance(0, adapter))

    def late(_: Any) -> str:
        running.clock.advance(4.0)
        return WRONG

    adapter._otherwise = late
    response = running.run(GenerationRequest("Who?", response_format=Person, retry_invalid=9), timeout=10.0)
    assert isinstance(response.error, InvalidOutputError | DeadlineExceededError)
    assert len(adapter.requests) == 3


# Kinds of answers


@pytest.mark.parametrize(
    ("answer", "kind", "error"),
    [
        (CUT, "length", TruncatedAnswerError),
        (FILTERED, "content_filter", ContentFilterError),
        (completion(""), "empty", EmptyAnswerError),
        (completion(" \n"), "empty", EmptyAnswerError),
        (replace(completion(""), reasoning="I thought."), "empty", EmptyAnswerError),
    ],
)
def test_an_answer_of_a_kind_fails_over(answer: Completion, kind: str, error: type[Exception]) -> None:
    """Only where that is wanted; where nobody does better the error has the answer."""
    response, _, _ = asked([answer], ["fine"], fail_on={kind})
    assert outcomes(response) == [(0, error.__name__), (1, "success")]
    assert response.content == "fine"
    response, _, _ = asked([answer], fail_on={"empty", "length", "content_filter"} - {kind})
    assert response.content == answer.content
    response, _, running = asked([answer] * 9, fail_on={kind}, max_retries=2)
    assert isinstance(response.error, error)
    assert response.error.answer is not None
    assert response.error.answer.content == answer.content
    assert running.pool.snapshots()[0].failures == 0


def test_the_same_model_is_not_asked_again_for_an_answer_that_was_cut() -> None:
    """It would be cut once more."""
    response, (adapter,), _ = asked([CUT, "fine"], fail_on=["length"])
    assert isinstance(response.error, TruncatedAnswerError)
    assert len(adapter.requests) == 1


def test_an_empty_answer_may_have_been_chance() -> None:
    """The same instance may be asked again, within `max_retries`."""
    response, _, _ = asked(["", "", "fine"], fail_on=["empty"])
    assert outcomes(response) == [(0, "EmptyAnswerError")] * 2 + [(0, "success")]
    response, (adapter,), _ = asked([""] * 9, fail_on=["empty"], max_retries=2)
    assert (type(response.error), len(adapter.requests)) == (EmptyAnswerError, 3)


def test_calls_are_not_empty() -> None:
    """They are what the model has to say."""
    response, _, _ = asked([CALLS], fail_on={"empty"})
    assert response.success


# Streams

END = Delta(finish_reason="stop", usage=TokenUsage(3, 2, 5))


def pieces(*texts: str, finish: Any = "stop") -> list[Delta]:
    return [*(Delta(content=text) for text in texts), END._replace(finish_reason=finish)]


def opened(*scripts: Any, **fields: Any) -> Any:
    running = core(*(instance(n, FakeProvider(*script)) for n, script in enumerate(scripts)))
    return running.stream(GenerationRequest(**{"prompt": "Who?", **fields}))


def test_a_stream_s_response_is_parsed() -> None:
    """Once it is whole."""
    stream = opened([pieces('{"name":"Ann",', '"age":3}')], response_format=Person)
    list(stream)
    assert stream.response.parsed == PERSON


def test_a_whole_stream_of_another_form_is_an_error_of_its_own() -> None:
    """It did not break off: all of it was handed over, and is in the error."""
    stream = opened([pieces(WRONG)], response_format=Person)
    with pytest.raises(InvalidOutputError) as caught:
        list(stream)
    assert caught.value.answer is not None
    assert caught.value.answer.content == stream.text == WRONG
    assert [attempt.outcome for attempt in caught.value.attempts] == ["InvalidOutputError"]
    assert caught.value.attempts[0].usage.total_tokens == 5


def test_a_stream_without_content_fails_over_unseen() -> None:
    """Nothing was handed over."""
    stream = opened([[END]], [pieces("fine")], fail_on={"empty"})
    assert [chunk.content for chunk in stream] == ["fine", ""]


def test_a_stream_begins_again_where_its_answer_is_not_taken() -> None:
    """`on_interrupt="restart"` is for that as well, and the model is told what was wrong."""
    stream = opened([pieces(WRONG), pieces(ANN)], response_format=Person, retry_invalid=1, on_interrupt="restart")
    assert [(chunk.content, chunk.reset) for chunk in stream] == [(WRONG, False), ("", True), (ANN, False), ("", False)]
    assert stream.response.parsed == PERSON


def test_what_is_wrong_cannot_be_gone_on_from() -> None:
    """`on_interrupt="continue"` ends in the error."""
    stream = opened([pieces(WRONG), pieces(ANN)], response_format=Person, retry_invalid=1, on_interrupt="continue")
    with pytest.raises(InvalidOutputError):
        list(stream)


def test_a_stream_left_early_is_no_failure() -> None:
    """Its owner has had enough."""
    stream = opened([pieces("{", "}")], response_format=Person, fail_on={"empty"})
    next(stream)
    stream.close()

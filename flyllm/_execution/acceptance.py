"""Whether an answer is one that its request takes: not of a kind that it wants to fail, and of the form it wants."""

from collections.abc import Iterator
from typing import Any

from flyllm._execution.attempt import Trial
from flyllm._execution.responses import answer
from flyllm.errors import (
    ContentFilterError,
    EmptyAnswerError,
    InvalidOutputError,
    LLMError,
    TruncatedAnswerError,
)
from flyllm.providers.base import Completion
from flyllm.structured import Form, Mismatch


def accepted(trial: Trial, completion: Completion) -> Any:
    """Return what the answer's text holds in the form wanted, None where none is wanted. Raises what is wrong with it.

    The error's `answer` is the answer; its tokens were taken all the same.
    """
    job = trial.job
    try:
        if job.request.fail_on:
            _refuse(job.request.fail_on, completion)
        return _parsed(job.form, completion)
    except LLMError as error:
        error.answer, error.request_id = answer(trial, completion), completion.request_id
        raise


def _refuse(kinds: object, completion: Completion) -> None:
    for kind, error in _faults(completion):
        if kind in kinds:  # type: ignore[operator]  # a collection, as was checked
            raise error


def _faults(completion: Completion) -> Iterator[tuple[str, LLMError]]:
    if completion.finish_reason == "content_filter":
        yield "content_filter", ContentFilterError("the answer was cut by the provider's content filter")
    if completion.finish_reason == "length":
        yield "length", TruncatedAnswerError("the answer was cut at its limit (max_tokens)")
    if not completion.content.strip() and not completion.tool_calls:
        yield "empty", EmptyAnswerError("the answer is empty")


def _parsed(form: Form | None, completion: Completion) -> Any:
    if form is None or form.read is None or completion.tool_calls:
        return None
    try:
        return form.read(completion.content)
    except Mismatch as exc:
        faults = (*_why(completion.finish_reason), *exc.faults)
    raise InvalidOutputError(f"the answer is not of the form wanted: {'; '.join(faults)}", faults=faults)


def _why(finish_reason: str | None) -> Iterator[str]:
    if finish_reason == "length":
        yield "it was cut at its limit (max_tokens)"
    elif finish_reason == "content_filter":
        yield "it was cut or replaced by the provider's content filter"

"""What the tests of the journal share: requests, results and files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flyllm import GenerationRequest, LLMResponse, ServerError, TokenUsage
from flyllm._batch.journal import Journal


def named(name: str, prompt: str = "Hi") -> GenerationRequest:
    return GenerationRequest(prompt, custom_id=name)


def answer(text: str, index: int = 0, custom_id: str | None = None) -> LLMResponse:
    return LLMResponse(text, usage=TokenUsage(1, 2, 3), model="m", index=index, custom_id=custom_id)


def failure(index: int = 0, custom_id: str | None = None) -> LLMResponse:
    return LLMResponse(error=ServerError("down", status_code=500), index=index, custom_id=custom_id)


def run(path: Path, requests: list[GenerationRequest], fail: tuple[str, ...] = ()) -> list[str | None]:
    """Run a batch: record what is missing; return what was recalled, None for what was not."""
    recalled = []
    with Journal.open(path) as journal:
        for index, request in enumerate(requests):
            entry = journal.entry(request)
            known = journal.recall(entry)
            recalled.append(known.content if known else None)
            if known is None:
                failed = request.custom_id in fail
                response = failure(index, request.custom_id) if failed else answer(f"to {request.prompt}", index)
                journal.record([(entry, index, response)])
    return recalled


@contextmanager
def size_limit(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes: the write that would is cut short, as by a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def messages(caplog: Any, level: str = "WARNING") -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == level]

"""What is finished is on disk before more is begun, whatever the consumer of the batch does."""

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flyllm._batch.inbox import Inbox
from flyllm._batch.item import Item
from flyllm._batch.journal import Journal
from flyllm._batch.recorder import Recorder
from flyllm._batch.stops import Budget
from flyllm._batch.threads import Threads
from flyllm.errors import BatchStoppedError, LLMError
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse, TokenUsage
from tests.unit.batch.batches import HANG, collected, echo, iterated
from tests.unit.batch.journals import answer, named, size_limit
from tests.unit.batch.test_executors import Elsewhere

WINDOW, WORKERS = 24, 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def contents(path: Path) -> list[str]:
    """The answers in the journal's whole lines."""
    lines = path.read_bytes().splitlines(keepends=True)[1:]
    return [json.loads(line)["content"] for line in lines if line.endswith(b"\n")]


def wait_for(condition: Any) -> None:
    for _ in range(int(HANG / 0.002)):
        if condition():
            return
        threading.Event().wait(0.002)
    raise AssertionError("it never came to that")


class Gate:
    """Answers nothing before the source has been read as far as the window reaches."""

    def __init__(self) -> None:
        self._read = threading.Event()

    def source(self) -> Iterator[str]:
        for n in range(10 * WINDOW):
            if n == WINDOW - 1:
                self._read.set()
            yield str(n)

    def answer(self, request: GenerationRequest) -> LLMResponse:
        assert self._read.wait(HANG)
        return echo(request)


# The inbox


def item_of(journal: Journal, name: str) -> Item:
    return Item(0, named(name), journal.entry(named(name)))


def test_what_is_put_is_on_disk(path: Path) -> None:
    """When `put` returns, and it can be taken."""
    with Journal.open(path) as journal:
        recorder = Recorder(journal)
        recorder.put((item_of(journal, "a"), answer("A")))
        assert contents(path) == ["A"]
        recorder.check()
        assert recorder.get()[1].content == "A"
        assert recorder.empty()


def test_what_was_never_asked_for_is_not_recorded(path: Path) -> None:
    """It has no entry."""
    with Journal.open(path) as journal:
        recorder = Recorder(journal)
        recorder.put((Item(0, named("a")), answer("A")))
        assert recorder.get()[1].content == "A"
    assert contents(path) == []


def test_what_cannot_be_recorded_is_put_all_the_same(path: Path) -> None:
    """Who puts it hears of it, and so does who takes it, from then on."""
    journal = Journal.open(path)
    done = item_of(journal, "a"), answer("A")
    recorder = Recorder(journal)
    journal.close()
    with pytest.raises(LLMError, match="it is closed"):
        recorder.put(done)
    recorder.check()
    assert recorder.get() == done
    with pytest.raises(LLMError, match="it is closed"):
        recorder.check()


def test_an_inbox_without_a_journal_never_fails() -> None:
    inbox = Inbox()
    inbox.put((Item(0, named("a")), answer("A")))
    inbox.check()
    assert inbox.get()[1].content == "A"


# Batches


def test_a_thread_begins_its_next_request_when_its_last_result_is_on_disk(path: Path) -> None:
    """Each looks into the journal for what it has answered before."""
    before = threading.local()
    missing: list[str] = []

    def answer(request: GenerationRequest) -> LLMResponse:
        last = getattr(before, "prompt", None)
        if last is not None and last not in contents(path):
            missing.append(last)
        before.prompt = request.prompt
        return echo(request)

    assert len(list(iterated(map(str, range(100)), answer, journal=path, max_workers=WORKERS))) == 100
    assert missing == []
    assert sorted(contents(path)) == sorted(map(str, range(100)))


def test_a_consumer_that_never_comes_back_holds_up_no_recording(path: Path) -> None:
    """The threads fill the window meanwhile, and all of it is on disk."""
    gate = Gate()
    responses = iterated(gate.source(), gate.answer, journal=path, max_workers=WORKERS, window=WINDOW)
    next(responses)
    wait_for(lambda: len(contents(path)) == WINDOW)
    responses.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("ordered", [False, True])
def test_with_an_executor_it_is_the_same(path: Path, ordered: bool) -> None:
    gate = Gate()
    with ThreadPoolExecutor(WORKERS) as executor:
        options = {"journal": path, "window": WINDOW, "executor": executor, "ordered": ordered}
        responses = iterated(gate.source(), gate.answer, **options)
        next(responses)
        wait_for(lambda: len(contents(path)) == WINDOW)
        responses.close()  # type: ignore[attr-defined]


def test_what_comes_from_another_process_is_on_disk_before_anybody_is_told(path: Path) -> None:
    """By the thread that brings it: completing the future is enough."""
    executor = Elsewhere()

    def complete_all() -> None:
        wait_for(lambda: len(executor.futures) == 4)
        for n, future in enumerate(executor.futures):
            future.set_result(LLMResponse(str(n)))
            on_disk.append(contents(path))

    on_disk: list[list[str]] = []
    thread = threading.Thread(target=complete_all)
    thread.start()
    assert len(collected("abcd", executor=executor, journal=path)) == 4
    thread.join(HANG)
    assert on_disk == [[str(m) for m in range(n + 1)] for n in range(4)]


def test_where_no_thread_can_be_started_it_is_the_same(path: Path) -> None:
    """The caller's own thread records when it has done the work."""
    with Journal.open(path) as journal:
        crew = Threads(lambda request, waits: echo(request), 1, Recorder(journal))
        crew.call_off()  # no more threads
        crew.submit(Item(0, named("a", "A"), journal.entry(named("a", "A"))))
        assert contents(path) == ["A"]
        assert crew.done.get()[1].content == "A"


# Stops


def dear(request: GenerationRequest) -> LLMResponse:
    attempt = Attempt(1, 0, "i", "openai", "m", 0.0, 0.0, 0.0, "success", usage=TokenUsage(60, 40, 100))
    return LLMResponse(request.prompt, usage=attempt.usage, attempts=(attempt,))


def test_what_was_not_sent_is_not_recorded(path: Path) -> None:
    """A budget that the first answer uses up leaves the rest to another run."""
    with pytest.raises(BatchStoppedError):
        list(iterated(map(str, range(100)), dear, journal=path, budget=Budget(tokens=1), max_workers=1))
    assert 0 < len(contents(path)) < 100
    assert "" not in contents(path)


def test_what_an_executor_had_not_begun_is_not_recorded(path: Path) -> None:
    """Nor is it when the batch is left."""

    class First(Elsewhere):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
            future = super().submit(fn, *args, **kwargs)
            if len(self.futures) == 3:
                self.futures[0].set_result(dear(args[1]))
            return future

    with pytest.raises(BatchStoppedError):
        list(iterated(map(str, range(100)), executor=First(), journal=path, budget=Budget(tokens=1)))
    assert len(contents(path)) == 1
    left = iterated(map(str, range(200, 300)), executor=First(), journal=path)
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert len(contents(path)) == 2


# A journal that cannot be written


@pytest.fixture(params=["threads", "executor"])
def crew(request: pytest.FixtureRequest) -> Iterator[dict[str, Executor | int]]:
    """Options of a batch that works in either way."""
    if request.param == "threads":
        yield {"max_workers": WORKERS}
        return
    with ThreadPoolExecutor(WORKERS) as executor:
        yield {"executor": executor}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_full_disk_ends_the_batch(path: Path, crew: dict[str, Any]) -> None:
    """What was recorded is recalled; what was not is carried by the error, and not handed over."""
    Journal.open(path).close()
    handed: list[str] = []
    with size_limit(2000), pytest.raises(LLMError, match="What was recorded before is safe") as caught:
        handed.extend(response.content for response in iterated(map(str, range(200)), journal=path, window=8, **crew))
    on_disk = contents(path)
    assert 0 < len(on_disk) < 20
    assert set(handed) <= set(on_disk)
    rest = [response.content for response in caught.value.flyllm_results]  # type: ignore[attr-defined]
    assert any(rest)
    assert set(handed).isdisjoint(rest)

    asked: list[str] = []

    def again(request: GenerationRequest) -> LLMResponse:
        asked.append(str(request.prompt))
        return echo(request)

    assert len(collected(map(str, range(200)), again, journal=path)) == 200
    assert set(asked) == set(map(str, range(200))) - set(on_disk)


def test_a_thread_that_cannot_record_begins_nothing_more(path: Path) -> None:
    """Although the consumer has not come back to hear of it: what would be lost is not paid for."""
    asked: list[object] = []

    def answer(request: GenerationRequest, waits: object) -> LLMResponse:
        asked.append(request.prompt)
        return echo(request)

    journal = Journal.open(path)
    items = [item_of(journal, str(n)) for n in range(WINDOW)]
    journal.close()
    crew = Threads(answer, WORKERS, Recorder(journal))
    for item in items:
        crew.submit(item)
    wait_for(lambda: not crew.alive())
    assert len(asked) == WORKERS
    crew.call_off()

"""Rows 54, 56, 57 and 59: what goes wrong on this side. What needs a process of its own is in `rows.ELSEWHERE`."""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flyllm import AttemptEvent, GenerationRequest, LLMError, LLMResponse, ManagerClosedError, RequestEvent
from flyllm.testing import Call, Fault
from tests.contract.fault_matrix.invariants import answer_to, echo
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import World

# ---- closing


def _batch(world: World, n: int, **options: Any) -> "Future[list[LLMResponse]]":
    """Begin a batch in a thread of its own."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="fault-matrix")
    requests = [GenerationRequest(f"request-{i:04d}") for i in range(n)]
    future = pool.submit(world.manager.batch_generate, requests, max_workers=4, **options)
    pool.shutdown(wait=False)
    return future


@row(54)
def test_close_during_a_batch_that_hangs_ends_it_within_its_grace(count: int) -> None:
    """Everything that waits or hangs ends as `ManagerClosedError`, in its place, soon after the grace."""
    with World(count, speed=1.0) as world:
        for server in world.servers:
            server.always(Fault.SILENCE)
        batch = _batch(world, 20)
        assert world.servers[0].wait_for(lambda s: s.count >= 1)
        began = time.monotonic()
        world.manager.close(grace=0.3)
        responses = batch.result(timeout=30.0)
        assert time.monotonic() - began < 20.0  # a busy machine; the attempts would hang for minutes
        assert len(responses) == 20
        assert all(isinstance(response.error, ManagerClosedError) for response in responses)


@row(54)
def test_close_lets_what_is_under_way_finish_within_its_grace(count: int) -> None:
    """Answers that come in time count; what had not begun is refused; closing again changes nothing."""
    with World(count, speed=1.0, each={"max_concurrency": 4}) as world:
        for server in world.servers:
            server.set(latency=0.3)
        batch = _batch(world, 12)
        assert world.servers[0].wait_for(lambda s: s.in_flight >= 1)
        world.manager.close(grace=20.0)
        world.manager.close()
        responses = batch.result(timeout=30.0)
        told = [r.content or type(r.error) for r in responses]
        whole = [answer_to(f"request-{i:04d}") for i in range(12)]
        assert all(got in (want, ManagerClosedError) for got, want in zip(told, whole, strict=True))
        assert any(response.success for response in responses)
        assert not responses[-1].success


@row(54)
def test_close_from_a_callback_ends_the_batch(count: int) -> None:
    """A callback may close the manager: each item still has its result, and nothing hangs."""
    with World(count, speed=1.0) as world:
        for server in world.servers:
            server.set(latency=0.05)
        responses = _batch(world, 20, on_result=lambda *_: world.manager.close(grace=0.2)).result(timeout=30.0)
        assert len(responses) == 20
        assert any(response.success for response in responses)
        assert all(r.success or isinstance(r.error, ManagerClosedError) for r in responses)


@row(54)
def test_a_closed_manager_refuses(way: str) -> None:
    """Whatever is asked afterwards is refused without a wire."""
    with World(1) as world:
        world.manager.close()
        results = world.send(way, 2)
        assert all(isinstance(result.error, ManagerClosedError) for result in results)
        assert world.wire == 0


# ---- user code


class Broken:
    """An observer with a bug."""

    def on_attempt(self, event: AttemptEvent) -> None:
        raise ZeroDivisionError("the attempt observer is broken")

    def on_request(self, event: RequestEvent) -> None:
        raise MemoryError("the request observer is broken")


@row(56)
def test_an_observer_that_raises_costs_no_answer(way: str, count: int) -> None:
    """Observers look on; what they do wrong is logged once."""
    with World(count, observers=[Broken()]) as world:
        world.servers[0].enqueue(500)
        world.send(way, 6)
        assert not world.failures
        assert world.wire == 7


class Fussy:
    """A strategy of a user's that fails every other time."""

    def __init__(self, failure: Callable[[], BaseException]) -> None:
        self._failure, self._calls = failure, 0

    def select(self, candidates: Sequence[Any]) -> Any:
        self._calls += 1
        if self._calls % 2:
            raise self._failure()
        return candidates[0]


@pytest.mark.parametrize(
    "failure",
    [pytest.param(ValueError, marks=row(56)), pytest.param(MemoryError, marks=row(59))],
    ids=["bug", "memory"],
)
def test_a_strategy_that_raises_fails_its_request_only(way: str, failure: Callable[[], BaseException]) -> None:
    """The request that met it has a typed error, the others their answers, and no place is lost."""
    with World(3, strategy=Fussy(failure)) as world:
        results = world.send(way, 6)
        assert [result.ok for result in results] == [False, True] * 3
        assert all(isinstance(result.error, LLMError) for result in world.failures)


@row(56)
def test_a_callback_that_raises_costs_no_answer(count: int) -> None:
    """`on_result` is told about results; it does not decide on them."""
    with World(count) as world:
        told: list[int] = []

        def on_result(index: int, _: LLMResponse) -> None:
            told.append(index)
            raise RuntimeError("the callback is broken")

        responses = _batch(world, 6, on_result=on_result).result(timeout=30.0)
        assert [response.content for response in responses] == [answer_to(f"request-{i:04d}") for i in range(6)]
        assert sorted(told) == list(range(6))


@row(56)
def test_a_log_handler_that_raises_costs_no_answer(way: str) -> None:
    """Logging may be broken: requests go on."""

    class BrokenFilter(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise OSError("the log is broken")

    broken, logger = BrokenFilter(), logging.getLogger("flyllm.requests")
    with World(3) as world:
        world.servers[0].enqueue(500)
        logger.addFilter(broken)
        try:
            world.send(way, 6)
        finally:
            logger.removeFilter(broken)
        assert not world.failures


@row(56)
@pytest.mark.parametrize("way", ["generate", "stream"])
def test_ctrl_c_while_waiting_for_a_place_leaves_nothing_behind(way: str) -> None:
    """The interrupt comes through as it is, the queue forgets the request, and no place is lost."""
    released = threading.Event()

    def answer(call: Call) -> str:
        released.wait(30.0)
        return echo(call.prompt)

    with World(1, each={"max_concurrency": 1}) as world:
        world.servers[0].always(answer)
        first = threading.Thread(target=world.send, args=("generate",), name="fault-matrix-first")
        first.start()
        assert world.servers[0].wait_for(lambda s: s.in_flight == 1)
        world.clock.interrupt = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            world.send(way)
        released.set()
        first.join()
        assert all(result.ok for result in world.send(way, 3))
        world._asked -= 1  # the interrupted one has no result


# ---- the debug folder


def _every_file_of(folder: Path, link_to: str) -> None:
    """Make the debug file of the first instance, for whatever second it is begun in, a link to something else."""
    for second in range(int(time.time()) - 1, int(time.time()) + 60):
        place = folder / str(second) / "0_openai_model-1"
        place.mkdir(parents=True)
        (place / "debug.json").symlink_to(link_to)


def _full_disk(folder: Path) -> None:
    _every_file_of(folder, "/dev/full")


def _no_folder(folder: Path) -> None:
    folder.write_text("a file where the folder should be")


def _deleted(folder: Path) -> None:
    """Nothing is there, and what is made is deleted again: see the test."""


@row(57)
@pytest.mark.parametrize("spoil", [_full_disk, _no_folder, _deleted])
def test_debug_files_that_cannot_be_written_cost_one_warning(
    way: str, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """The disk is full, the folder is none, or it goes away: requests are answered, and one warning says so."""
    folder = tmp_path / "debug"
    spoil(folder)
    with World("openai", debug_folder=folder) as world:
        world.send(way, 3)
        _write_out(world)
        if spoil is _deleted:
            _remove(folder)
        world.send(way, 3)
        _write_out(world)
        assert not world.failures
        warnings = [line for line in world.log if "debug files cannot be written" in line]
        assert len(warnings) == (spoil is not _deleted)


def _write_out(world: World) -> None:
    """Wait for the debug files, which are written behind the requests."""
    world.manager._runtime.sinks.close(30.0)


def _remove(folder: Path) -> None:
    for place, _, files in os.walk(folder, topdown=False):
        for file in files:
            os.unlink(os.path.join(place, file))
        os.rmdir(place)


@row(57)
def test_debug_files_do_not_hold_the_key(way: str, tmp_path: Path) -> None:
    """Whatever is written down about failures, no key is in it."""
    with World("openai", debug_folder=tmp_path, max_retries=0) as world:
        world.servers[0].fail(401, times=2, message="Incorrect API key provided: sk-CANARY0-7f3a9b2c4d5e6f700")
        world.send(way, 3)
        _write_out(world)
        files = [file.read_text() for file in tmp_path.rglob("debug.json")]
        assert files
        assert not any("7f3a9b2c4d5e6f70" in text for text in files)


@row(57)
def test_a_slow_disk_does_not_slow_requests(way: str, tmp_path: Path) -> None:
    """A file that cannot be written for long, as on a stuck network disk, holds no answer back."""
    with World("openai", debug_folder=tmp_path, speed=1.0) as world:
        world.send(way)
        _write_out(world)
        (file,) = tmp_path.rglob("debug.json")
        with file.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            world.send(way, 3)  # were it written first, this would never end
            fcntl.flock(held, fcntl.LOCK_UN)
        world.manager.close()
        assert len(json.loads(file.read_text())) == 4


# ---- no threads


@row(59)
def test_a_batch_that_gets_too_few_threads_is_answered_by_those(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread left a batch has fewer workers, and every item its answer."""
    real, started = threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("flyllm-batch"):
            if len(started) >= 2:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        real(thread)

    with World(count) as world:
        monkeypatch.setattr(threading.Thread, "start", start)
        world.send("batch", 12, workers=6)
        assert not world.failures
        assert started

"""Ctrl-C while results are written: lines are whole, and what had come is written."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from flyllm.cli.batch.course import deliver_all
from flyllm.cli.batch.interrupts import Interrupts
from flyllm.types import LLMResponse


def responses(closed: list[str]) -> Iterator[LLMResponse]:
    """A batch of three, of which one has come and is not handed over when it is broken off."""
    try:
        yield from (LLMResponse("1"), LLMResponse("2"), LLMResponse("3"))
    except KeyboardInterrupt as interrupt:
        interrupt.flyllm_results = [LLMResponse("rest")]  # type: ignore[attr-defined]
        raise
    finally:
        closed.append("closed")


def interrupted(interrupts: Interrupts, *numbers: int) -> list[str]:
    """What is done of a block in which signals come, and after it."""
    done = []
    try:
        with interrupts.held():
            for number in numbers:
                signal.raise_signal(number)
            done.append("whole")
        done.append("after it")
    except KeyboardInterrupt:
        done.append("interrupted")
    return done


def test_a_signal_waits_for_the_end_of_the_block() -> None:
    with Interrupts() as interrupts:
        assert interrupted(interrupts, signal.SIGINT) == ["whole", "interrupted"]
        assert interrupted(interrupts) == ["whole", "after it"]


def test_a_second_signal_does_not_wait() -> None:
    with Interrupts() as interrupts:
        assert interrupted(interrupts, signal.SIGTERM, signal.SIGINT) == ["interrupted"]


def test_outside_of_a_block_it_comes_at_once_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_after_ctrl_c_in_a_delivery_what_had_come_is_delivered_too() -> None:
    delivered, closed = list[Any](), list[str]()

    def deliver(response: LLMResponse) -> None:
        delivered.append(response.content)
        if response.content == "2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_all(responses(closed), deliver)
    assert delivered == ["1", "2", "rest"]
    assert closed == ["closed"]


def test_a_delivery_that_fails_ends_the_batch_and_nothing_more_is_delivered() -> None:
    delivered, closed = list[Any](), list[str]()

    def deliver(response: LLMResponse) -> None:
        delivered.append(response.content)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        deliver_all(responses(closed), deliver)
    assert (delivered, closed) == (["1"], ["closed"])

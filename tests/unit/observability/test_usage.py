"""Rules of the token ledger and its table."""

import threading

from flyllm.observability.events import AttemptEvent
from flyllm.observability.usage import UsageLedger, usage_table
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, TokenUsage

REQUEST = GenerationRequest("x")
ZERO = TokenUsage(0, 0, 0, 0, 0)


def event(number: int, usage: TokenUsage, outcome: str = "success") -> AttemptEvent:
    attempt = Attempt(1, number, f"i{number}", "openai", "m", 1.0, 0.0, 0.5, outcome, usage=usage)
    return AttemptEvent(attempt, REQUEST, {}, None, "")


def test_nothing_used_is_zero_and_not_unknown() -> None:
    """Before the first answer the sums are numbers."""
    ledger = UsageLedger()
    assert ledger.total() == ledger.of(3) == ZERO


def test_sums_are_kept_per_instance_and_in_total() -> None:
    """Tokens of each attempt count for its instance, also of one that failed or was abandoned."""
    ledger = UsageLedger()
    ledger.on_attempt(event(0, TokenUsage(1, 2, 3, 1, 1)))
    ledger.on_attempt(event(0, TokenUsage(10, 20, 30), "abandoned"))
    ledger.on_attempt(event(1, TokenUsage(100, None, 100), "ServerError"))
    assert ledger.of(0) == TokenUsage(11, 22, 33, 1, 1)
    assert ledger.of(1) == TokenUsage(100, 0, 100, 0, 0)
    assert ledger.total() == TokenUsage(111, 22, 133, 1, 1)


def test_a_sum_with_an_estimate_says_so() -> None:
    """An estimated part makes the sum estimated."""
    ledger = UsageLedger()
    ledger.on_attempt(event(0, TokenUsage(1, 2, 3)))
    ledger.on_attempt(event(0, TokenUsage(completion_tokens=5, estimated=frozenset({"completion_tokens"}))))
    assert ledger.of(0).source("completion_tokens") == "estimated"
    assert ledger.of(0).source("prompt_tokens") == "reported"


def test_totals_are_exact_from_many_threads() -> None:
    """No update of 32 threads is lost."""
    ledger, barrier = UsageLedger(), threading.Barrier(32)

    def work(number: int) -> None:
        barrier.wait(20)
        for _ in range(100):
            ledger.on_attempt(event(number % 4, TokenUsage(1, 2, 3, 1, 2)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert ledger.total() == TokenUsage(3200, 6400, 9600, 3200, 6400)
    assert [ledger.of(n).total_tokens for n in range(4)] == [2400] * 4


def test_the_table_is_the_originals() -> None:
    """Title, columns and their widths are FlyLLM's, whose users read it; only the widths of numbers fit their heads."""
    rows = [(0, "openai", "gpt-4o-mini", TokenUsage(12, 34, 46)), (11, "ollama", "llama3", TokenUsage())]
    assert usage_table(rows).splitlines() == [
        "--- Token Usage Statistics ---",
        "ID    Provider        Model                          Prompt Tokens   Completion Tokens Total Tokens",
        "-" * 95,
        "0     openai          gpt-4o-mini                    12              34                46",
        "11    ollama          llama3                         0               0                 0",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    """A manager that has done nothing prints an empty table."""
    assert len(usage_table([]).splitlines()) == 3


def test_a_table_has_costs_where_any_is_known() -> None:
    """In a column behind FlyLLM's; an instance without a price says so."""
    rows = [(0, "openai", "gpt-4o-mini", TokenUsage(12, 34, 46)), (1, "ollama", "llama3", TokenUsage(1, 2, 3))]
    assert usage_table(rows, {0: None, 1: None}) == usage_table(rows)
    assert [line[87:] for line in usage_table(rows, {0: 0.5, 1: None}).splitlines()[1:]] == [
        "Total Tokens    Cost",
        "-" * 21,
        "46              0.500000",
        "3               unknown",
    ]

"""Rules of the usage report: what is counted where, and how far each number can be trusted."""

import json
import pickle
import threading
from typing import Any

from flyllm import errors
from flyllm.errors import LLMError
from flyllm.observability.events import AttemptEvent, RequestEvent
from flyllm.observability.usage import AttemptCounts, RequestCounts, UsageEntry, UsageLedger
from flyllm.providers.base import Delta
from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition
from flyllm.types import Attempt, LLMResponse, TokenUsage
from tests.unit.fakes import FakeProvider, ManualClock, completion, core, instance

UNKNOWN = TokenUsage()
REPORTED = TokenUsage(10, 5, 15, 4, 2)
ESTIMATED = TokenUsage(completion_tokens=7, total_tokens=7, estimated=frozenset({"completion_tokens", "total_tokens"}))


class Known:
    """A price of which is known where it comes from."""

    def __init__(self, source: str | None) -> None:
        self.source = source


def event(
    outcome: str = "success",
    usage: TokenUsage = REPORTED,
    cost: float | None = None,
    *,
    at: int = 0,
    task: str | None = None,
    error: LLMError | None = None,
) -> AttemptEvent:
    attempt = Attempt(1, at, f"i{at}", "openai", f"m{at}", 1.0, 0.0, 0.5, outcome, usage=usage, cost=cost)
    return AttemptEvent(attempt, GenerationRequest("x", task=task), {}, error, "")


def failure(error: LLMError, usage: TokenUsage = UNKNOWN) -> AttemptEvent:
    return event(type(error).__name__, usage, error=error)


def ended(at: int | None = 0, task: str | None = None, error: LLMError | None = None) -> RequestEvent:
    return RequestEvent(GenerationRequest("x", task=task), LLMResponse(instance_id=at, error=error))


def total(*attempts: AttemptEvent) -> UsageEntry:
    ledger = UsageLedger()
    for attempt in attempts:
        ledger.on_attempt(attempt)
    return ledger.report().total


def test_before_anything_happened_all_is_zero() -> None:
    """Not None: it is known that nothing was spent."""
    report = UsageLedger().report()
    assert report.total == UsageEntry("total")
    assert (report.total.spent.cost, report.total.spent.tokens.total_tokens) == (0.0, 0)
    assert (report.instances, report.tasks) == ((), ())


def test_attempts_are_counted_by_how_they_ended() -> None:
    """What the caller gave up, and what another attempt beat, did not fail."""
    entry = total(
        event(),
        event(),
        failure(errors.ServerError("x")),
        failure(errors.RateLimitError("x")),
        failure(errors.StreamInterruptedError("x")),
        event("abandoned"),
        event("outrun"),
    )
    assert entry.attempts == AttemptCounts(succeeded=2, failed=3, abandoned=1, outrun=1)


def test_requests_are_counted_where_they_ended() -> None:
    """One that no instance could take is in the total and in its task only."""
    ledger = UsageLedger(["chat"])
    ledger.on_attempt(event(at=1))
    for request in (
        ended(1),
        ended(1, error=errors.ServerError("x")),
        ended(None, "chat", errors.NoInstanceError("x")),
    ):
        ledger.on_request(request)
    report = ledger.report()
    assert report.total.requests == RequestCounts(1, 2)
    assert [entry.requests for entry in report.instances] == [RequestCounts(1, 1)]
    assert [(entry.name, entry.requests) for entry in report.tasks] == [
        ("chat", RequestCounts(0, 1)),
        ("default", RequestCounts(1, 1)),
    ]


def test_what_was_thrown_away_is_told_apart() -> None:
    """Answers and the rest are the two parts of what was spent."""
    entry = total(
        event("success", TokenUsage(100, 50, 150, 20, 5), 1.0),
        event("abandoned", TokenUsage(10, 5, 15, 2, 1), 0.1),
        event("RequestError", TokenUsage(20, 10, 30, 4, 2), 0.2, error=errors.RequestError("x")),
        event("outrun", TokenUsage(1, 1, 2, 0, 0), 0.25),
    )
    assert (entry.answers.attempts, entry.answers.tokens, entry.answers.cost) == (1, TokenUsage(100, 50, 150, 20, 5), 1)
    assert (entry.discarded.attempts, entry.discarded.tokens) == (3, TokenUsage(31, 16, 47, 6, 3))
    assert entry.discarded.cost is not None
    assert round(entry.discarded.cost, 9) == 0.55
    assert (entry.spent.attempts, entry.spent.tokens) == (4, TokenUsage(131, 66, 197, 26, 8))


def test_a_number_nobody_gave_is_unknown_and_not_zero() -> None:
    """Of one attempt or of all."""
    spent = total(event(usage=TokenUsage(1, 2, 3), cost=None)).spent
    assert spent.tokens == TokenUsage(1, 2, 3, None, None)
    assert spent.cost is None
    assert spent.unknown == {"cached_tokens": 1, "reasoning_tokens": 1, "cost": 1}
    assert [spent.source(name) for name in ("prompt_tokens", "cached_tokens", "cost")] == [
        "reported",
        "unknown",
        "unknown",
    ]


def test_a_partly_known_number_says_how_many_gave_none() -> None:
    """It is the sum of what is known."""
    spent = total(event(cost=0.5), event(usage=TokenUsage(1, 2, 3)), event(usage=TokenUsage(1, 2, 3))).spent
    assert (spent.tokens, spent.cost) == (TokenUsage(12, 9, 21, 4, 2), 0.5)
    assert spent.unknown == {"cached_tokens": 2, "reasoning_tokens": 2, "cost": 2}
    assert spent.source("cost") == "reported"


def test_a_partly_estimated_number_says_so() -> None:
    """And a cost is, where the tokens it was computed from were."""
    guessed = TokenUsage(1, 2, 3, estimated=frozenset({"completion_tokens", "total_tokens"}))
    spent = total(event(cost=0.5), event("abandoned", guessed, 0.25), event("abandoned", ESTIMATED)).spent
    assert spent.estimated == {"completion_tokens": 2, "total_tokens": 2, "cost": 1}
    assert spent.unknown["prompt_tokens"] == 1
    assert [spent.source(name) for name in ("completion_tokens", "cost", "prompt_tokens")] == [
        "estimated",
        "estimated",
        "reported",
    ]
    assert spent.tokens.source("completion_tokens") == "estimated"


def test_what_a_provider_refused_or_never_got_took_nothing() -> None:
    """So it leaves no doubt about a sum. Whether one that broke off was paid for, nobody knows."""
    free = [errors.RateLimitError("x"), errors.ServerError("x"), errors.RequestError("x", sent=False)]
    spent = total(event(cost=0.5), *map(failure, free)).spent
    assert (spent.attempts, spent.tokens, spent.cost, spent.unknown) == (4, REPORTED, 0.5, {})
    assert total(*map(failure, free)).spent.source("cost") == "reported"
    doubtful = [errors.RequestError("x"), errors.ParseError("x"), errors.DeadlineExceededError("x")]
    assert total(event(cost=0.5), *map(failure, doubtful)).spent.unknown["prompt_tokens"] == 3
    assert total(failure(errors.OverloadedError("x"), ESTIMATED)).spent.tokens.completion_tokens == 7


def test_a_refusal_does_not_make_an_unknown_cost_known() -> None:
    """Zero for what was refused and unknown for the rest is unknown."""
    assert total(event(cost=None), failure(errors.RateLimitError("x"))).spent.cost is None


def test_instances_and_tasks_add_up_to_the_total() -> None:
    """Each attempt is in one of either. Tasks that nobody defined are counted together."""
    ledger = UsageLedger(["chat", "code"])
    for at, task in ((0, "chat"), (0, "code"), (1, "chat"), (1, None), (1, "made up"), (2, "made up too")):
        ledger.on_attempt(event(at=at, task=task, cost=1.0))
    report = ledger.report()
    assert [(entry.name, entry.instance_id, entry.spent.cost) for entry in report.instances] == [
        ("i0", 0, 2.0),
        ("i1", 1, 3.0),
        ("i2", 2, 1.0),
    ]
    assert [(entry.name, entry.spent.cost) for entry in report.tasks] == [
        ("chat", 2.0),
        ("code", 1.0),
        ("default", 1.0),
        ("unknown", 2.0),
    ]
    assert report.total.spent.cost == 6.0


def test_an_instance_is_there_before_its_first_attempt() -> None:
    """With where its price comes from; the total names the sources of what was used."""
    ledger = UsageLedger()
    for number, source in enumerate(["configured", "genai-prices 1", None, "never asked"]):
        ledger.add(number, f"name{number}", "openai", "m", Known(source))
    for number in (0, 1, 2):
        ledger.on_attempt(event(at=number, cost=1.0))
    report = ledger.report()
    assert [(entry.name, entry.attempts.succeeded, entry.price_sources) for entry in report.instances] == [
        ("name0", 1, ("configured",)),
        ("name1", 1, ("genai-prices 1",)),
        ("name2", 1, ()),
        ("name3", 0, ("never asked",)),
    ]
    assert report.total.price_sources == ("configured", "genai-prices 1")


def test_a_report_is_json_and_pickles() -> None:
    """And is a value of its own: what comes later does not change it."""
    ledger = UsageLedger(["chat"], ManualClock())
    ledger.add(3, "i3", "openai", "m3", Known("configured"))
    ledger.on_attempt(event(at=3, task="chat", usage=TokenUsage(1, 2, 3), cost=0.5))
    ledger.on_request(ended(3, "chat"))
    report = ledger.report()
    ledger.on_attempt(event(at=3, task="chat"))
    assert pickle.loads(pickle.dumps(report)) == report
    found = json.loads(json.dumps(report.to_dict()))
    assert found["since"] == ManualClock().wall()
    (entry,) = found["instances"]
    spent: dict[str, Any] = {
        "attempts": 1,
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "cached_tokens": None,
        "reasoning_tokens": None,
        "cost": 0.5,
        "unknown": {"cached_tokens": 1, "reasoning_tokens": 1},
        "estimated": {},
    }
    nothing = {**dict.fromkeys(spent, 0), "cost": 0.0, "unknown": {}, "estimated": {}}
    assert entry == {
        "name": "i3",
        "instance_id": 3,
        "provider": "openai",
        "model": "m3",
        "requests": {"succeeded": 1, "failed": 0},
        "attempts": {"succeeded": 1, "failed": 0, "abandoned": 0, "outrun": 0},
        "spent": spent,
        "answers": spent,
        "discarded": nothing,
        "price_sources": ["configured"],
    }
    assert found["tasks"][0] == {k: v for k, v in entry.items() if k not in ("instance_id", "provider", "model")} | {
        "name": "chat"
    }


def test_beginning_anew_returns_what_was() -> None:
    """The instances stay, their numbers are zero again."""
    clock = ManualClock()
    ledger = UsageLedger((), clock)
    ledger.on_attempt(event(cost=1.0))
    clock.advance(60.0)
    assert ledger.reset().total.spent.cost == 1.0
    report = ledger.report()
    assert report.since == clock.wall()
    assert [(entry.name, entry.spent.cost) for entry in (report.total, *report.instances)] == [("total", 0), ("i0", 0)]
    assert ledger.total() == ledger.of(0) == TokenUsage(0, 0, 0, 0, 0)


def test_no_count_is_lost_between_two_reports() -> None:
    """Of 64 threads, while another one takes and clears the sums."""
    ledger, barrier, stop = UsageLedger(), threading.Barrier(65), threading.Event()
    taken: list[int] = []
    one = [event(at=number, cost=1.0) for number in range(5)]

    def work(number: int) -> None:
        barrier.wait(20)
        for _ in range(157):
            ledger.on_attempt(one[number % 5])

    def take() -> None:
        barrier.wait(20)
        while not stop.is_set():
            taken.append(ledger.reset().total.spent.attempts)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(64)]
    taker = threading.Thread(target=take)
    for thread in (*threads, taker):
        thread.start()
    for thread in threads:
        thread.join(20)
    stop.set()
    taker.join(20)
    assert sum(taken) + ledger.report().total.spent.attempts == 64 * 157


def test_the_core_counts_the_requests_of_64_threads() -> None:
    """Answers, failovers and failures: the sums are what the providers gave."""

    def usually(request: Any) -> Any:
        return completion(usage=TokenUsage(3, 2, 5, 1, 0))

    def never(request: Any) -> Any:
        return errors.InvalidRequestError("no")

    ledger = UsageLedger(["a"])
    good, bad = FakeProvider(otherwise=usually), FakeProvider(otherwise=never)
    running = core(
        instance(0, bad, tasks=frozenset({"a"}), priority=0),
        instance(1, good, tasks=frozenset({"a"}), priority=1),
        strategy="lru",
        observers=[ledger],
        tasks=[TaskDefinition("a")],
    )
    barrier = threading.Barrier(64)

    def work() -> None:
        barrier.wait(20)
        for _ in range(16):
            running.run(GenerationRequest("x", task="a"))

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    report = ledger.report()
    served, refused = len(good.requests), len(bad.requests)
    assert report.total.requests == RequestCounts(64 * 16, 0)
    assert report.total.attempts == AttemptCounts(succeeded=served, failed=refused)
    assert served == 64 * 16
    assert report.total.answers.tokens == TokenUsage(3 * served, 2 * served, 5 * served, served, 0)
    assert report.tasks[0].spent == report.total.spent
    assert [entry.attempts.failed for entry in report.instances] == [refused, 0]


def test_a_stream_that_is_left_early_is_discarded_with_what_it_had_brought() -> None:
    """As an estimate, where the provider had not told yet."""
    ledger = UsageLedger()
    running = core(
        instance(0, FakeProvider([Delta(content="Hello "), Delta(content="there, "), Delta(content="you")])),
        observers=[ledger],
    )
    with running.stream() as stream:
        next(iter(stream))
    report = ledger.report()
    assert report.total.attempts == AttemptCounts(abandoned=1)
    assert report.total.answers.attempts == 0
    assert report.total.discarded.source("completion_tokens") == "estimated"
    assert report.total.discarded.unknown["prompt_tokens"] == 1

"""Fault matrix, row 53: processes forked off a manager in use, as gunicorn --preload and Celery's prefork do.

Each script runs in a process of its own; its children die of an alarm where they would hang.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyllm.testing import Call, ProviderSimulator, SimulatedProvider, stall
from tests.public.processes import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

FORK = """
import json, os, signal, sys, threading, traceback
from flyllm import LLMManager

signal.alarm(150)

def tell(**facts):
    os.write(1, (json.dumps(facts) + "\\n").encode())

def forked(work, *args):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        status = 1
        try:
            work(*args)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child

def await_all(*children):
    for child in children:
        tell(status=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

def manager(instances=1, folder=None, **options):
    builder = LLMManager.builder()
    for number in range(instances):
        builder = builder.add_instance("openai", f"model-{number}", "k-0123456789abcdef", **options)
        builder = builder.custom_endpoint(sys.argv[1])
    if folder:
        builder = builder.debug_folder(folder)
    return builder.default_attempt_timeout(10.0).build()

def ask(under_test, name, n):
    prompts = [f"{name}-{i}" for i in range(n)]
    responses = under_test.generate_sequentially(prompts)
    tell(who=name, right=sum(r.content == f"to {p}" for p, r in zip(prompts, responses)))
"""


def echo(call: Call) -> str:
    return f"to {call.prompt}"


@pytest.fixture
def server() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"].reply(echo)


def told(server: SimulatedProvider, script: str, *args: str) -> list[dict[str, Any]]:
    """Run a script to its end; return what it and its children told. No child may have failed."""
    done = run(sys.executable, "-c", FORK + script, server.url, *args)
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    statuses = [fact["status"] for fact in facts if "status" in fact]
    assert statuses, done.stderr
    assert set(statuses) == {0}, done.stderr
    assert "Traceback" not in done.stderr
    return [fact for fact in facts if "status" not in fact]


def prompts(server: SimulatedProvider) -> Counter[str]:
    """Return how often each prompt came over the wire."""
    return Counter(record.body["messages"][-1]["content"] for record in server.requests)


def test_parent_and_child_do_not_share_a_connection(server: SimulatedProvider) -> None:
    """Both go on at once after one kept connection was in use: each has its own answers, over one of its own."""
    server.set(latency=0.002)
    facts = told(
        server,
        """
under_test = manager(max_concurrency=1)
ask(under_test, "before", 1)
child = forked(ask, under_test, "child", 60)
ask(under_test, "parent", 60)
await_all(child)
ask(under_test, "after", 1)
""",
    )
    assert {fact["who"]: fact["right"] for fact in facts} == {"before": 1, "parent": 60, "child": 60, "after": 1}
    assert set(prompts(server).values()) == {1}
    used = {(r.connection, r.body["messages"][-1]["content"].split("-")[0]) for r in server.requests}
    assert used == {(1, "before"), (1, "parent"), (1, "after"), (2, "child")}


def test_a_pool_of_processes_works_with_a_used_manager(server: SimulatedProvider) -> None:
    """As `multiprocessing` forks them, and Celery does: all answers, each asked for once, and the parent goes on."""
    facts = told(
        server,
        """
import multiprocessing

def work(name):
    return under_test.generate(name).content == f"to {name}"

under_test = manager()
ask(under_test, "before", 1)
with multiprocessing.get_context("fork").Pool(3) as pool:
    tell(who="pool", right=sum(pool.map(work, [f"pool-{i}" for i in range(30)])))
    pool.close()
    pool.join()
ask(under_test, "after", 1)
tell(status=0)
""",
    )
    assert {fact["who"]: fact["right"] for fact in facts} == {"before": 1, "pool": 30, "after": 1}
    assert set(prompts(server).values()) == {1}


def test_a_server_that_loads_the_application_before_it_forks(server: SimulatedProvider) -> None:
    """As gunicorn --preload does: every worker answers on many threads, draws its own chance, begins elsewhere."""
    facts = told(
        server,
        """
under_test = manager(50)
under_test.batch_generate([f"before-{i}" for i in range(4)])

def serve(number):
    clock = under_test._runtime.clock
    first = under_test.generate(f"first-{number}")
    responses = under_test.batch_generate([f"{number}-{i}" for i in range(8)], max_workers=4)
    tell(right=sum(r.content == f"to {number}-{i}" for i, r in enumerate(responses)),
         first=first.instance_id, drawn=clock.uniform(0.0, 1.0), used=under_test.total_usage().total_tokens)
    under_test.close()

await_all(*[forked(serve, number) for number in range(4)])
""",
    )
    assert [fact["right"] for fact in facts] == [8] * 4
    assert len({fact["drawn"] for fact in facts}) == 4
    assert len({fact["first"] for fact in facts}) > 1
    assert set(prompts(server).values()) == {1}


def test_the_parents_batch_goes_on(server: SimulatedProvider) -> None:
    """Forked amid it, children work at once; of the parent's items none is lost and none is sent twice."""
    server.set(latency=0.02)
    facts = told(
        server,
        """
under_test = manager()
ask(under_test, "before", 1)
begun, children, results = threading.Event(), [], []

def batch():
    results.extend(under_test.batch_generate(
        [f"parent-{i}" for i in range(200)], max_workers=8, on_result=lambda *_: begun.set()))

thread = threading.Thread(target=batch)
thread.start()
assert begun.wait(60)
for number in range(5):
    children.append(forked(ask, under_test, f"child{number}", 5))
tell(early=thread.is_alive())
await_all(*children)
thread.join()
tell(who="parent", right=sum(r.content == f"to parent-{i}" for i, r in enumerate(results)))
tell(in_flight=sum(s.in_flight for s in under_test.instances))
""",
    )
    assert {"early": True} in facts
    assert {"in_flight": 0} in facts
    right = {fact["who"]: fact["right"] for fact in facts if "who" in fact}
    assert right == {"before": 1, "parent": 200, **{f"child{n}": 5 for n in range(5)}}
    assert len(server.requests) == 1 + 200 + 25
    assert set(prompts(server).values()) == {1}


def test_a_callback_may_fork(server: SimulatedProvider) -> None:
    """The child of the thread that runs a batch answers for itself, and may leave by `sys.exit` through that batch."""
    server.set(latency=0.01)
    facts = told(
        server,
        """
under_test = manager()
children, parent = [], os.getpid()

def on_result(index, response):
    if index % 10 == 5:
        child = os.fork()
        if child:
            children.append(child)
            return
        signal.alarm(60)
        ask(under_test, f"child{index}", 2)
        sys.exit(0)

results = under_test.batch_generate([f"parent-{i}" for i in range(30)], max_workers=4, on_result=on_result)
await_all(*children)
tell(who="parent", right=sum(r.content == f"to parent-{i}" for i, r in enumerate(results)))
""",
    )
    right = {fact["who"]: fact["right"] for fact in facts}
    assert right == {"parent": 30, "child5": 2, "child15": 2, "child25": 2}
    assert set(prompts(server).values()) == {1}


def test_what_a_child_closes_stays_open_in_the_parent(server: SimulatedProvider) -> None:
    """Its stream, its kept connections: whichever way the child lets go, the parent reads on, and its batch ends."""
    server.set(latency=0.02)
    server.enqueue("one two three four five", fault=stall(3, seconds=1.0))
    facts = told(
        server,
        """
import gc
under_test = manager()
stream = under_test.generate_stream("stream")
begun, results = threading.Event(), []

def batch():
    results.extend(under_test.batch_generate(
        [f"parent-{i}" for i in range(60)], max_workers=4, on_result=lambda *_: begun.set()))

def child(way):
    global under_test, stream
    ask(under_test, way, 2)
    if way == "closes the manager":
        under_test.close(0.0)
    elif way == "closes the stream":
        stream.close()
    else:
        under_test = stream = None
        gc.collect()

thread = threading.Thread(target=batch)
thread.start()
assert begun.wait(60)
await_all(*[forked(child, way) for way in ("closes the manager", "closes the stream", "drops both")])
list(stream)
thread.join()
tell(text=stream.text)
tell(who="parent", right=sum(r.content == f"to parent-{i}" for i, r in enumerate(results)))
tell(in_flight=sum(s.in_flight for s in under_test.instances))
""",
    )
    assert {"text": "one two three four five"} in facts
    assert {"in_flight": 0} in facts
    right = {fact["who"]: fact["right"] for fact in facts if "who" in fact}
    assert right == {"parent": 60, "closes the manager": 2, "closes the stream": 2, "drops both": 2}
    assert set(prompts(server).values()) == {1}


def test_a_child_of_a_closed_manager_is_refused(server: SimulatedProvider) -> None:
    """As the parent is."""
    told(
        server,
        """
from flyllm import ManagerClosedError
under_test = manager()
ask(under_test, "before", 1)
under_test.close()

def child():
    try:
        under_test.generate("child")
    except ManagerClosedError:
        return
    raise AssertionError("it was sent")

await_all(forked(child))
""",
    )
    assert len(server.requests) == 1


def test_changes_made_before_the_fork_hold_after_it(server: SimulatedProvider) -> None:
    """Instances that were added and disabled."""
    facts = told(
        server,
        """
under_test = manager(2)
added = under_test.add_instance("openai", "model-2", "k-0123456789abcdef", endpoint=sys.argv[1])
under_test.disable(0)
under_test.disable(1)
await_all(forked(lambda: tell(asked=under_test.generate("child").instance_id, added=added)))
""",
    )
    assert facts == [{"asked": 2, "added": 2}]


def test_debug_files_stay_whole(server: SimulatedProvider, tmp_path: Path) -> None:
    """Parent and children write to the same files at once: JSON throughout, and every attempt is in it once.

    A child that leaves by `os._exit` closes first, or loses what waits to be written; the parent need not.
    """
    told(
        server,
        """
under_test = manager(folder=sys.argv[2])
ask(under_test, "before", 1)

def child(number):
    ask(under_test, f"child{number}", 20)
    under_test.close()

children = [forked(child, number) for number in range(3)]
ask(under_test, "parent", 20)
await_all(*children)
""",
        str(tmp_path),
    )
    entries = [entry for file in tmp_path.rglob("debug.json") for entry in json.loads(file.read_text())]
    assert Counter(entry["input"]["prompt"] for entry in entries) == prompts(server)
    assert len(entries) == 81


def test_a_fork_while_an_sdk_is_imported(server: SimulatedProvider) -> None:
    """The first request of a cold manager imports for half a second; a child forked then must not wait for ever."""
    told(
        server,
        """
under_test = manager()
thread = threading.Thread(target=ask, args=(under_test, "parent", 1))
thread.start()
while "openai" not in sys.modules:
    pass

def child():
    signal.alarm(30)
    ask(under_test, "child", 1)

await_all(forked(child))
thread.join()
""",
    )


def test_a_fork_while_retries_are_first_needed(server: SimulatedProvider) -> None:
    """The first failure imports what retries need; a child forked meanwhile must not wait for ever for its own."""
    told(
        server,
        """
from flyllm._resilience.retry import retrying

assert "tenacity" not in sys.modules
thread = threading.Thread(target=retrying)
thread.start()
while "tenacity" not in sys.modules:
    pass

def child():
    signal.alarm(30)
    assert retrying().__name__ == "Retrying"

await_all(forked(child))
thread.join()
""",
    )

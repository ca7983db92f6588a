"""Rules of the façade, over fake adapters: what users may do with a manager, and what they get."""

import json
import logging
import pickle
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flyllm import (
    AuthenticationError,
    ConfigError,
    DeadlineExceededError,
    GenerationRequest,
    LLMError,
    LLMManager,
    LLMResponse,
    ManagerClosedError,
    ModelInfo,
    NoInstanceError,
    ServerError,
    TaskDefinition,
    TokenUsage,
)
from flyllm._secret import Secret
from flyllm.config.model import InstanceConfig, ManagerConfig
from tests.unit.fakes import FakeProvider, Recorder

CANARY = "sk-canary-4f1d9b7e03aa55c2"


class Plugged:
    """A manager with a fake adapter per instance."""

    def __init__(self, manager: LLMManager, *adapters: FakeProvider) -> None:
        self.manager = manager
        self.adapters = list(adapters) or [FakeProvider() for _ in manager.instances]
        for number, adapter in enumerate(self.adapters):
            self.plug(number, adapter)

    def plug(self, number: int, adapter: FakeProvider) -> None:
        self.manager._runtime.adapters[number]._adapter = adapter


def built(*adapters: FakeProvider, count: int = 1, observers: Any = (), **settings: Any) -> Plugged:
    """A manager of instances at ollama (no key needed), or one per adapter; `settings` are builder calls."""
    builder = LLMManager.builder(*observers).define_task(TaskDefinition("chat", {"top_p": 0.9}))
    for number in range(len(adapters) or count):
        builder.add_instance("ollama", f"m{number}", CANARY, name=f"i{number}").supports("chat")
    for name, value in settings.items():
        getattr(builder, name)(value)
    return Plugged(builder.strategy("lru").build(), *adapters)


# One request


def test_generate_takes_text_with_parameters() -> None:
    """`generate("Hi", task="chat", max_tokens=5)` sends these parameters over the task's defaults."""
    plugged = built()
    response = plugged.manager.generate("Hi", task="chat", max_tokens=5)
    assert (response.content, response.task) == ("ok", "chat")
    (request,) = plugged.adapters[0].requests
    assert dict(request.params) == {"top_p": 0.9, "max_tokens": 5}
    assert request.messages == [{"role": "user", "content": "Hi"}]


def test_generate_takes_a_request_and_changes_to_it() -> None:
    """Keywords override the request's own values and leave the request as it was."""
    plugged, request = built(), GenerationRequest("Hi", task="chat", params={"top_p": 0.1, "seed": 1})
    plugged.manager.generate(request, top_p=0.2)
    assert dict(plugged.adapters[0].requests[0].params) == {"top_p": 0.2, "seed": 1}
    assert request.params == {"top_p": 0.1, "seed": 1}


def test_generate_raises_with_the_ledger() -> None:
    """A failure is raised, with every attempt in it."""
    with pytest.raises(ServerError) as caught:
        built(FakeProvider(otherwise=ServerError("x")), max_retries=0).manager.generate("Hi")
    assert len(caught.value.attempts) == 1
    assert caught.value.instance == "i0"


@pytest.mark.parametrize("bad", [None, 5, b"Hi", ["Hi"], {"prompt": "Hi"}])
def test_what_is_no_request_is_a_config_error(bad: Any) -> None:
    """The message says what a request is."""
    plugged = built()
    for method in (plugged.manager.generate, plugged.manager.generate_stream):
        with pytest.raises(ConfigError, match="a request must be a GenerationRequest or text, not"):
            method(bad)
    assert plugged.adapters[0].requests == []


def test_an_unknown_task_is_no_instance() -> None:
    """A task that nobody supports is told with the known ones."""
    with pytest.raises(NoInstanceError, match="Supported tasks: chat"):
        built().manager.generate("Hi", task="caht")


def test_the_timeout_comes_from_the_nearest_level() -> None:
    """A request's own timeout, else its task's, else the manager's bounds an attempt; a batch has none by itself."""
    slow = TaskDefinition("slow").with_timeout(50)
    manager = (
        LLMManager.builder()
        .define_task(slow)
        .add_instance("ollama", "m")
        .supports("slow")
        .timeout(100)
        .default_attempt_timeout(1000)
        .build()
    )
    adapter = FakeProvider()
    Plugged(manager, adapter)
    manager.generate(GenerationRequest("x", timeout=20, task="slow"))
    manager.generate(GenerationRequest("x", task="slow"))
    manager.generate("x")
    manager.batch_generate(["x"])
    manager.batch_generate([GenerationRequest("x", task="slow")])
    manager.batch_generate(["x"], deadline=70)
    seconds = [request.timeout for request in adapter.requests]
    assert seconds == pytest.approx([20, 50, 100, 1000, 50, 70], abs=5)


def test_observers_see_everything() -> None:
    """Observers given to the builder get each attempt and each request."""
    recorder = Recorder()
    plugged = built(FakeProvider(ServerError("x")), FakeProvider(), observers=[recorder])
    response = [plugged.manager.generate("Hi") for _ in range(2)][-1]
    plugged.manager.close()
    assert len(recorder.attempts) == 3
    assert [event.attempt for event in recorder.attempts][-len(response.attempts) :] == list(response.attempts)
    assert [event.response for event in recorder.requests][1:] == [response]


# Many requests


class Bomb(Mapping[str, Any]):
    """A mapping that explodes when it is read, as a lazily loaded one may."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("boom")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("boom")

    def __len__(self) -> int:
        return 1


MIXED: list[Any] = [
    "first",
    GenerationRequest(""),
    GenerationRequest("no task", task="nope"),
    None,
    GenerationRequest("bomb", params=Bomb()),
    GenerationRequest("bug"),
    "last",
]


def mixed() -> Plugged:
    def answer(request: Any) -> Any:
        return KeyError("bug") if request.messages[-1]["content"] == "bug" else request.messages[-1]["content"]

    return built(FakeProvider(otherwise=answer))


@pytest.mark.parametrize("method", ["batch_generate", "generate_sequentially"])
def test_one_bad_request_costs_only_itself(method: str) -> None:
    """One response per request, in order; a fault, a bug in an adapter or in a value is an error in its place."""
    responses = getattr(mixed().manager, method)(MIXED)
    assert [response.content for response in responses] == ["first", "", "", "", "", "", "last"]
    assert [type(response.error).__name__ for response in responses] == [
        "NoneType",
        "ConfigError",
        "NoInstanceError",
        "ConfigError",
        "LLMError",
        "ProviderError",
        "NoneType",
    ]
    assert "unexpected RuntimeError in test_manager.py" in str(responses[4].error)
    assert all(isinstance(response.error, LLMError | None) for response in responses)


@pytest.mark.parametrize("method", ["batch_generate", "generate_sequentially"])
def test_many_requests_may_be_none_or_a_generator(method: str) -> None:
    """Any iterable will do, also one without an item."""
    plugged = built(FakeProvider(otherwise=lambda request: request.messages[-1]["content"]))
    run = getattr(plugged.manager, method)
    assert run([]) == []
    assert [response.content for response in run(f"{n}" for n in range(5))] == ["0", "1", "2", "3", "4"]


def test_an_input_that_breaks_sends_nothing() -> None:
    """A generator that raises raises in the caller, before any request went out."""

    def broken() -> Iterator[str]:
        yield "x"
        raise ValueError("input")

    plugged = built()
    with pytest.raises(ValueError, match="input"):
        plugged.manager.batch_generate(broken())
    assert plugged.adapters[0].requests == []


def test_a_batch_uses_the_workers_it_is_told() -> None:
    """`max_workers` of the call, else of the configuration, else what the enabled instances can bear."""
    names: set[str] = set()

    def note(request: Any) -> str:
        names.add(threading.current_thread().name)
        return "ok"

    plugged = built(FakeProvider(otherwise=note), max_workers=1)
    plugged.manager.batch_generate(["x"] * 10)
    assert len(names) == 1
    assert plugged.manager._workers() == 1
    both = built(count=2)
    assert both.manager._workers() == 128
    both.manager.disable(0)
    assert both.manager._workers() == 64


def test_the_deadline_of_a_batch_covers_all_of_it() -> None:
    """What has not been answered by then is a DeadlineExceededError in its place."""
    gate = threading.Event()

    def slow(request: Any) -> str:
        gate.wait(0.2)
        return "late"

    responses = built(FakeProvider(otherwise=slow)).manager.batch_generate(["x"] * 4, max_workers=1, deadline=0.05)
    assert responses[0].content == "late"  # an attempt under way is its adapter's to end
    assert [type(response.error) for response in responses[1:]] == [DeadlineExceededError] * 3


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "many"])
def test_a_wrong_number_of_threads_is_a_config_error(bad: Any) -> None:
    """Nothing is sent, and the number is not quietly replaced."""
    plugged = built(FakeProvider())
    with pytest.raises(ConfigError, match="max_workers must be a whole number of at least 1"):
        plugged.manager.batch_generate(["x"], max_workers=bad)
    assert plugged.adapters[0].requests == []


@pytest.mark.parametrize("bad", ["5", 0, -1, float("nan"), True])
def test_a_wrong_deadline_is_a_config_error(bad: Any) -> None:
    """The batch's deadline is checked like a request's timeout."""
    with pytest.raises(ConfigError, match="deadline must be a number of seconds"):
        built().manager.batch_generate(["x"], deadline=bad)


def test_on_result_comes_in_the_callers_thread() -> None:
    """Each response is handed out once, with its index."""
    seen: dict[int, LLMResponse] = {}
    threads = set()

    def on_result(index: int, response: LLMResponse) -> None:
        seen[index] = response
        threads.add(threading.current_thread())

    responses = built().manager.batch_generate(["x"] * 5, on_result=on_result)
    assert [seen[n] for n in range(5)] == responses
    assert threads == {threading.current_thread()}


def test_responses_of_a_batch_can_be_stored() -> None:
    """Everything in a response pickles, errors included, and holds no key."""
    data = pickle.dumps(mixed().manager.batch_generate(MIXED))
    assert CANARY.encode() not in data
    assert len(pickle.loads(data)) == len(MIXED)


# Streams


def test_a_stream_goes_through_the_manager() -> None:
    """Task defaults and keywords apply to streams too."""
    plugged = built()
    with plugged.manager.generate_stream("Hi", task="chat", seed=1) as stream:
        assert [chunk.content for chunk in stream] == ["ok", ""]
    assert stream.response is not None
    assert stream.response.task == "chat"
    assert dict(plugged.adapters[0].requests[0].params) == {"top_p": 0.9, "seed": 1}
    plugged.manager.close()


# Instances


def test_instances_are_addressed_by_id_or_name() -> None:
    """Disabling and enabling take either, and snapshots show it."""
    manager = built(count=2).manager
    manager.disable("i0")
    manager.disable(1)
    assert [instance.enabled for instance in manager.instances] == [False, False]
    with pytest.raises(NoInstanceError, match="all instances are disabled: i0, i1"):
        manager.generate("Hi")
    manager.enable(0)
    assert manager.generate("Hi").instance_name == "i0"


@pytest.mark.parametrize("unknown", [7, "i7", None])
def test_an_unknown_instance_is_told_with_the_known(unknown: Any) -> None:
    """The error lists ids and names."""
    manager = built(count=2).manager
    for method in (manager.enable, manager.disable, manager.instance_usage):
        with pytest.raises(ConfigError, match=r"there is no instance .*\. Instances: 0 \(i0\), 1 \(i1\)"):
            method(unknown)


def test_several_keys_of_one_model_have_names_of_their_own() -> None:
    """Without names the second instance of a model gets its number, so that the ledger tells them apart."""
    builder = LLMManager.builder()
    for key in ("key-number-one", "key-number-two", "key-number-three"):
        builder.add_instance("openai", "gpt-4o", key)
    manager = builder.build()
    assert [instance.name for instance in manager.instances] == ["openai/gpt-4o", "openai/gpt-4o#1", "openai/gpt-4o#2"]
    manager.disable("openai/gpt-4o#1")
    assert [instance.enabled for instance in manager.instances] == [True, False, True]


def test_a_name_that_means_two_instances_is_not_guessed() -> None:
    """Where a given name is another's default the id is asked for."""
    manager = LLMManager.builder().add_instance("ollama", "m").add_instance("ollama", "n", name="ollama/m").build()
    with pytest.raises(ConfigError, match="2 instances are called 'ollama/m': use an id: 0, 1"):
        manager.disable("ollama/m")


def test_an_instance_can_be_added_while_running() -> None:
    """It gets the next id, serves at once, and takes what the builder takes."""
    plugged = built()
    number = plugged.manager.add_instance(
        "OLLAMA", "new", tasks=["chat"], name="new", params={"seed": 3}, max_concurrency=2, endpoint="http://h:1"
    )
    assert number == 1
    adapter = FakeProvider()
    plugged.plug(1, adapter)
    plugged.manager.disable(0)
    assert plugged.manager.generate("Hi", task="chat").instance_name == "new"
    assert dict(adapter.requests[0].params) == {"seed": 3, "top_p": 0.9}
    assert plugged.manager.instances[1].max_concurrency == 2


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("olama", "m"), "Unknown provider type 'olama'"),
        (("openai", "m", None), "api_key"),
        (("openai", "m", ""), "Empty api_key for provider 'openai'"),
        (("ollama", ""), "model"),
    ],
)
def test_an_instance_that_is_wrong_changes_nothing(arguments: Any, fault: str) -> None:
    """Every fault is told as by the builder, and the manager stays as it was."""
    manager = built().manager
    with pytest.raises(ConfigError, match=fault):
        manager.add_instance(*arguments)
    with pytest.raises(ConfigError, match="taks"):
        manager.add_instance("ollama", "m", taks=["chat"])
    with pytest.raises(ConfigError, match="Duplicate"):
        manager.add_instance("ollama", "m", name="i0")
    assert len(manager.instances) == 1
    assert manager.add_instance("ollama", "m") == 1


def test_instances_added_from_many_threads_are_all_there() -> None:
    """No addition is lost, and each name is given once."""
    manager, errors = built().manager, []

    def add() -> None:
        try:
            manager.add_instance("ollama", "same")
        except ConfigError as error:
            errors.append(error)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert len({instance.name for instance in manager.instances}) == 9


# Usage


def test_usage_per_instance_and_in_total(capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens are summed by id or name, and printed as the original prints them."""
    manager = built(count=2).manager
    for _ in range(3):
        manager.generate("Hi")
    used = {manager.instance_usage(n).total_tokens for n in ("i0", "i1")}
    assert used == {5, 10}
    assert manager.total_usage() == TokenUsage(9, 6, 15, 0, 0)
    manager.print_token_usage()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["", "--- Token Usage Statistics ---"]
    assert [line.split()[:3] for line in lines[4:]] == [["0", "ollama", "m0"], ["1", "ollama", "m1"]]


# Models


class Listing(FakeProvider):
    def __init__(self, *models: Any) -> None:
        super().__init__()
        self.models = models

    def list_models(self, timeout: float) -> list[ModelInfo]:
        if isinstance(self.models[0], LLMError):
            raise self.models[0]
        return [ModelInfo(name, "ollama") for name in self.models]


def test_models_are_listed_once() -> None:
    """The lists of all enabled instances are joined without duplicates."""
    plugged = built(Listing("a", "b"), Listing("b", "c"), Listing("d"))
    plugged.manager.disable(2)
    assert [model.id for model in plugged.manager.list_models()] == ["a", "b", "c"]
    assert [model.id for model in plugged.manager.list_models("i2")] == ["d"]


def test_a_list_that_fails_is_left_out_and_raised_only_alone() -> None:
    """One wrong key does not hide what the others offer."""
    wrong = AuthenticationError("no")
    assert [m.id for m in built(Listing(wrong), Listing("a")).manager.list_models()] == ["a"]
    with pytest.raises(AuthenticationError):
        built(Listing(wrong)).manager.list_models()


# Closing


def test_a_closed_manager_refuses_everything() -> None:
    """After `close()` requests raise ManagerClosedError, batches return it; closing again is fine."""
    plugged = built(count=2)
    with plugged.manager as manager:
        manager.generate("Hi")
    manager.close()
    for call in (manager.generate, manager.generate_stream):
        with pytest.raises(ManagerClosedError):
            call("Hi")
    with pytest.raises(ManagerClosedError):
        manager.list_models()
    assert [type(response.error) for response in manager.batch_generate(["x", "y"])] == [ManagerClosedError] * 2
    assert [adapter.closed for adapter in plugged.adapters] == [1, 1]
    assert manager.total_usage().total_tokens == 5


def test_an_adapter_that_cannot_close_keeps_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    """Every adapter is closed, whatever one of them raises."""

    class Stuck(FakeProvider):
        def close(self) -> None:
            raise OSError("stuck")

    last = FakeProvider()
    with caplog.at_level(logging.WARNING, "flyllm.manager"):
        built(Stuck(), last).manager.close()
    assert last.closed == 1
    assert [record.getMessage() for record in caplog.records] == ["connections could not be closed: OSError"]


def test_leaving_the_with_closes_also_after_an_error() -> None:
    """An exception in the block goes through, and the manager is closed."""
    plugged = built()
    with pytest.raises(ZeroDivisionError), plugged.manager:
        raise ZeroDivisionError
    assert plugged.adapters[0].closed == 1


def test_building_starts_nothing() -> None:
    """No thread, no connection, no SDK before the first request."""
    before = threading.active_count()
    manager = LLMManager.builder().add_instance("ollama", "m").build()
    assert threading.active_count() == before
    assert manager._runtime.adapters[0]._adapter is None


# Ways to build


def test_file_text_and_dict_build_the_same(tmp_path: Path) -> None:
    """A TOML file, its text and its dict give equal managers."""
    text = '[[tasks]]\nname = "t"\nmax_tokens = 5\n[[providers]]\ntype = "ollama"\nmodel = "m"\ntasks = ["t"]\n'
    path = tmp_path / "flyllm.toml"
    path.write_text(text)
    data = {
        "tasks": [{"name": "t", "max_tokens": 5}],
        "providers": [{"type": "ollama", "model": "m", "tasks": ["t"]}],
    }
    managers = [LLMManager.from_config_file(path), LLMManager.from_config_str(text), LLMManager.from_config(data)]
    assert len({repr(manager._config) for manager in managers}) == 1


def test_a_manager_prints_briefly() -> None:
    """The repr says how many instances there are."""
    assert repr(built(count=2).manager) == "<LLMManager with 2 instances>"


# Keys


def test_no_key_shows_on_any_path(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Responses, errors with their causes and locals, logs, debug files, snapshots, configuration: none has the key."""
    caplog.set_level(logging.DEBUG, "flyllm")
    leaky = FakeProvider(ServerError("x"), KeyError("bug"), otherwise=AuthenticationError("no"))
    plugged = built(leaky, FakeProvider(otherwise=ServerError("y")), debug_folder=str(tmp_path), max_retries=1)
    manager = plugged.manager
    shown = [repr(manager.instances), repr(manager._config), repr(manager._runtime), str(vars(manager))]
    for call in (
        lambda: manager.generate("Hi"),
        lambda: manager.generate_stream("Hi"),
        lambda: manager.add_instance("nobody", "m", CANARY),
        lambda: manager.add_instance("ollama", "m", CANARY, name="i0"),
    ):
        try:
            call()
        except LLMError as error:
            # The frame of this test is the caller's own; below it no local variable may hold the key.
            report = traceback.TracebackException.from_exception(error, capture_locals=True)
            shown += ["".join(traceback.StackSummary.from_list(report.stack[2:]).format()), str(error), repr(error)]
            shown.append(repr(pickle.dumps(error)))
    shown += [repr(response) for response in manager.batch_generate(["a", "b"])]
    manager.close()
    shown += [caplog.text, *(path.read_text() for path in tmp_path.rglob("*.json"))]
    assert len(shown) > 12
    for text in shown:
        assert CANARY not in text
        assert CANARY[10:] not in text


def test_the_configuration_prints_no_key() -> None:
    """A key in the configuration is masked in its repr and its values."""
    config = ManagerConfig(instances=(InstanceConfig("openai", "m", Secret(CANARY)),))
    assert CANARY not in repr(config)
    assert CANARY not in json.dumps(repr(config.instances[0]))

"""The course of the demo, against the simulator or against the user's own providers."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from flyllm._clock import SystemClock
from flyllm._version import __version__
from flyllm.cli.demo.progress import batch_progress
from flyllm.cli.demo.prompts import fitted
from flyllm.cli.demo.report import instance_table, print_ledger, print_summary
from flyllm.cli.demo.scenario import QUESTION, prepare_stream, shipped_config, simulated_world, world_table
from flyllm.cli.output import open_table
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_file
from flyllm.errors import LLMError, MissingDependencyError
from flyllm.manager import LLMManager
from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import provider_spec
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse

Requests = Sequence[GenerationRequest]


def simulated_demo(console: Console, requests: Requests, seed: int) -> bool:
    """Run the demo on this machine only; return whether everything was answered."""
    with simulated_world(seed) as simulator:
        config = shipped_config(simulator)
        console.print(f"flyllm {__version__}: ten providers through their official SDKs.", style="bold")
        console.print("They are simulated on this machine: no keys, no network, real HTTP.\n")
        console.print(world_table(simulator))
        requests = _fitted(console, requests, config)
        with LLMManager(config) as manager:
            try:
                _warm(console, manager)
            except MissingDependencyError as error:
                hint = 'For the whole demo: pip install "flyllm[all]"'
                raise MissingDependencyError(f"{error}\n  → {hint}", provider=error.provider) from error
            responses = _batch(console, manager, requests)
            prepare_stream(simulator)
            streamed = _stream(console, manager, QUESTION)
            _accounts(console, manager, requests, responses)
    console.print("\nYour own providers: flyllm demo --config my.toml (asks before it sends anything)")
    return streamed and all(response.success for response in responses)


def real_demo(console: Console, requests: Requests, path: Path, *, yes: bool) -> bool:
    """Run the demo against the providers of the configuration at `path`, once the user agrees."""
    config = config_from_file(path)
    console.print(f"flyllm {__version__}: the providers of {path}", style="bold")
    console.print(_destinations(config))
    requests = _fitted(console, requests, config)
    count = len(requests) + 1
    console.print(f"{count} requests and their retries go to these addresses. They cost tokens.", style="bold yellow")
    if not yes:
        typer.confirm("Send them?", abort=True)
    with LLMManager(config) as manager:
        _warm(console, manager)
        responses = _batch(console, manager, requests)
        streamed = _stream(console, manager, requests[0])
        _accounts(console, manager, requests, responses)
    return streamed and all(response.success for response in responses)


def _destinations(config: ManagerConfig) -> Table:
    table = open_table("provider", "model", "sends to")
    for instance in config.instances:
        if instance.enabled:
            _, url = resolve(provider_spec(instance.provider), instance.endpoint, instance.api)
            table.add_row(instance.provider, instance.model, url)
    return table


def _fitted(console: Console, requests: Requests, config: ManagerConfig) -> Requests:
    fitting, unknown = fitted(requests, config)
    if unknown:
        console.print(f"No instance serves {', '.join(unknown)}: prompts of these tasks go to any instance.")
    return fitting


def _warm(console: Console, manager: LLMManager) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    with console.status("Importing the SDKs ..."):
        manager.warm()
    console.print(f"\nThe SDKs are imported ({clock.monotonic() - began:.1f} s).")


def _heading(console: Console, text: str) -> None:
    console.print()
    console.rule(text, align="left", style="cyan")


def _batch(console: Console, manager: LLMManager, requests: Requests) -> list[LLMResponse]:
    tasks = sorted({request.task for request in requests if request.task is not None})
    of_tasks = f" of {len(tasks)} tasks ({', '.join(tasks)})" if tasks else ""
    _heading(console, f"1. A batch: {len(requests)} prompts{of_tasks}")
    clock = SystemClock()
    began = clock.monotonic()
    with batch_progress(console, len(requests)) as on_result:
        responses = manager.batch_generate(requests, on_result=on_result)
    print_summary(console, responses, clock.monotonic() - began)
    console.print(instance_table(manager.instances, responses))
    return responses


def _stream(console: Console, manager: LLMManager, question: GenerationRequest) -> bool:
    _heading(console, "2. A stream, piece by piece")
    console.print(f"> {question.prompt}", style="bold")
    try:
        with manager.generate_stream(question) as stream:
            for chunk in stream:
                console.print(chunk.content, end="", soft_wrap=True)
    except LLMError as error:
        console.print(f"\n{type(error).__name__}: {error}", style="red")
        return False
    console.print()
    response = stream.response
    if response is not None:
        tokens, reason = response.usage.completion_tokens, response.finish_reason
        console.print(f"{response.instance_name}, {tokens} tokens, finish reason {reason}", style="dim")
    return True


def _accounts(console: Console, manager: LLMManager, requests: Requests, responses: list[LLMResponse]) -> None:
    _heading(console, "3. The bill")
    manager.print_token_usage()
    _heading(console, "4. How one request found its way")
    print_ledger(console, requests, responses)

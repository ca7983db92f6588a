"""`flyllm simulate`: the provider simulator as a process of its own, for applications in any language."""

import json
import signal
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flyllm.cli.output import open_console, open_table
from flyllm.errors import ConfigError
from flyllm.types import ProviderType

if TYPE_CHECKING:
    from flyllm.testing import ProviderSimulator, SimulatedProvider

KEY = "simulated"
"""The key in the printed configuration; the simulator takes any, but asks for one where the provider does."""

_ALL = tuple(ProviderType)


def simulate(
    provider: Annotated[
        list[ProviderType] | None,
        typer.Option(help="Serve only this provider; may be given several times.", case_sensitive=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed and same requests: same answers.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port_base: Annotated[
        int | None,
        typer.Option(min=1, max=65536 - len(_ALL), help="Port of the first of the ten, openai; the others follow."),
    ] = None,
    latency: Annotated[float, typer.Option(min=0.0, help="Seconds before an answer, on average.")] = 0.0,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print a flyllm.toml for the simulated providers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the URLs as one line of JSON.")] = False,
) -> None:
    """Serve simulated providers until Ctrl-C: real HTTP in the providers' own formats, no keys."""
    # Here, because the other commands work without the `testing` extra.
    from flyllm.testing import ProviderSimulator

    if as_toml and as_json:
        raise typer.BadParameter("--toml and --json exclude each other")
    quiet = as_toml or as_json
    console = open_console(stderr=quiet)
    _interrupt_on_signals()
    with ProviderSimulator(seed=seed, host=host, keep=0) as simulator:
        _open(simulator, provider or _ALL, host, port_base, latency)
        urls = {instance.name: instance.url for instance in simulator}
        with suppress(KeyboardInterrupt):
            if quiet:
                print(json.dumps(urls) if as_json else toml_for(urls), flush=True)
            else:
                _print_urls(console, urls)
            _wait_forever()
        console.print()
        _print_counters(console, simulator)


def toml_for(urls: Mapping[str, str]) -> str:
    """Return a configuration whose instances are the simulated providers at `urls`."""
    from flyllm.testing.wires.registry import ROWS

    lines = ["[[tasks]]", 'name = "chat"']
    for name, url in urls.items():
        lines += ["", "[[providers]]", f'type = "{name}"', f'model = "{ROWS[name].models[0]}"']
        lines += [f'endpoint = "{url}"', f'api_key = "{KEY}"', 'tasks = ["chat"]']
    return "\n".join(lines)


def _open(
    simulator: "ProviderSimulator",
    providers: Iterable[ProviderType],
    host: str,
    port_base: int | None,
    latency: float,
) -> None:
    from flyllm.testing import lognormal

    for name in dict.fromkeys(providers):
        port = port_base + _ALL.index(name) if port_base is not None else 0
        try:
            simulator.add(name, port=port, latency=lognormal(latency) if latency else 0.0)
        except OSError as error:
            place = f"{host}, port {port}" if port else host
            raise ConfigError(f"Cannot listen on {place} for {name}: {error.strerror or error}") from error


def _interrupt_on_signals() -> None:
    # Set explicitly: a shell starts background processes with SIGINT ignored, and service managers send SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _wait_forever() -> None:
    never = threading.Event()
    while not never.wait(0.5):  # sliced: Windows does not interrupt an endless wait (cpython#80116)
        pass


def _print_urls(console: Console, urls: Mapping[str, str]) -> None:
    table = open_table("provider", "URL")
    for name, url in urls.items():
        table.add_row(name, url)
    console.print(table)
    console.print("Any key is accepted. `flyllm simulate --toml` prints a configuration. Ctrl-C stops.", style="dim")


def _print_counters(console: Console, instances: "Iterable[SimulatedProvider]") -> None:
    table = open_table("provider")
    for heading in ("requests", "connections", "at once"):
        table.add_column(heading, justify="right")
    for instance in instances:
        table.add_row(instance.name, *map(str, (instance.count, instance.connections, instance.peak_in_flight)))
    console.print(table)

"""The command line of `flyllm demo`."""

from pathlib import Path
from typing import Annotated

import typer

from flyllm.cli.output import open_console


def demo(
    config: Annotated[Path | None, typer.Option(help="Use the real providers of this TOML file instead.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="One JSON object per line: prompt, task, params.")] = None,
    seed: Annotated[int, typer.Option(help="Of the simulator: answers and latencies.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="With --config: do not ask before sending.")] = False,
) -> None:
    """Send 40 prompts to ten simulated providers, one down and one rate limited. No keys, no network."""
    # Here, because the other commands work without the `testing` extra.
    from flyllm.cli.demo.prompts import SHIPPED, read_prompts
    from flyllm.cli.demo.run import real_demo, simulated_demo

    console = open_console()
    requests = read_prompts(prompts or SHIPPED)
    if config is None:
        complete = simulated_demo(console, requests, seed)
    else:
        complete = real_demo(console, requests, config, yes=yes)
    raise typer.Exit(0 if complete else 1)

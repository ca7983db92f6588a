"""The command line of `flyllm check`."""

from typing import TYPE_CHECKING, Annotated

import typer

from flyllm.cli.options import Config, Json
from flyllm.cli.output import open_console
from flyllm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from flyllm.cli.check.facts import InstanceFacts
    from flyllm.cli.check.live import Probe
    from flyllm.config.model import ManagerConfig

EPILOG = "\n\n".join(
    (
        "Examples:",
        "flyllm check",
        "flyllm check --config production.toml --live --timeout 10",
        "Without --live nothing is sent. With it every enabled instance is sent one short prompt, once.",
        "Exit codes: 0 valid, and with --live all answered; 1 not valid, with every fault; 2 wrong usage; 3 some "
        "instances did not answer; 4 none did; 130 Ctrl-C.",
    )
)


def check(
    config: Config = None,
    live: Annotated[
        bool, typer.Option("--live", help="Send each instance one tiny request; costs a few tokens.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.001, help="With --live: seconds for each instance.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Check the configuration; with --live, that every instance answers."""
    # Here, because the other commands do without them.
    from flyllm.cli.check.facts import instance_facts, notes
    from flyllm.cli.check.report import as_json as report_json
    from flyllm.cli.exit_codes import ALL, code_of
    from flyllm.cli.response_json import write_json

    configured = _configured(config, as_json=as_json)
    instances = instance_facts(configured)
    remarks = list(notes(configured, instances))
    if not as_json:
        _print_facts(configured, instances, remarks, live=live)
    probes = _ask(configured, timeout) if live else None
    if as_json:
        write_json(report_json(configured, instances, remarks, probes))
    elif probes:
        _print_probes(probes, instances)
    if probes is None:
        raise typer.Exit(ALL)
    answered = sum(asked.response.success for asked in probes)
    raise typer.Exit(code_of(answered, len(probes) - answered))


def _configured(path: "Path | None", *, as_json: bool) -> "ManagerConfig":
    from flyllm.cli.configuration import configuration
    from flyllm.cli.response_json import write_json

    try:
        return configuration(path)
    except ConfigError as error:
        if as_json:
            faults = [f"{fault}" for fault in error.faults] or [str(error)]
            write_json({"valid": False, "faults": faults, "instances": [], "tasks": [], "notes": []})
        raise


def _ask(config: "ManagerConfig", timeout: float) -> "list[Probe]":
    from flyllm.cli.check.live import probe

    with open_console(stderr=True).status("Asking the instances ..."):
        return probe(config, timeout)


def _print_facts(config: "ManagerConfig", instances: "list[InstanceFacts]", remarks: list[str], *, live: bool) -> None:
    from flyllm.cli.check.report import instance_table, task_table

    console = open_console()
    console.print(instance_table(instances))
    console.print()
    if config.tasks:
        console.print(task_table(config, instances))
        console.print()
    for remark in remarks:
        console.print(f"Note: {remark}", style="yellow")
    console.print("The configuration is valid.", style="bold green")
    if not live:
        console.print("Nothing was sent. `flyllm check --live` sends each instance one tiny request.", style="dim")


def _print_probes(probes: "list[Probe]", instances: "list[InstanceFacts]") -> None:
    from flyllm.cli.check.report import failure_lines, live_table

    console = open_console()
    console.print()
    console.print(live_table(probes))
    for line in failure_lines(probes, instances):
        console.print(line, style="red", soft_wrap=True)

"""The command line of `flyllm batch`."""

from typing import Any

import typer

from flyllm.cli.batch import arguments as a
from flyllm.cli.batch.places import Places, places_for
from flyllm.cli.options import Config, params_of


def batch(
    source: a.Input,
    output: a.Output = None,
    config: Config = None,
    task: a.Task = None,
    param: a.Param = None,
    file_format: a.FileFormat = None,
    column: a.Column = None,
    id_column: a.IdColumn = None,
    strict: a.Strict = False,
    progress: a.Progress = None,
    resume: a.Resume = False,
    force: a.Force = False,
    journal: a.Journal = None,
    ordered: a.Ordered = False,
    max_workers: a.MaxWorkers = None,
    window: a.Window = None,
    deadline: a.Deadline = None,
    max_failures: a.MaxFailures = None,
    budget_tokens: a.BudgetTokens = None,
    budget_cost: a.BudgetCost = None,
) -> None:
    """Answer all requests of a file; go on later where it was stopped."""
    # Here, because the other commands do without a manager.
    from flyllm.cli.batch.row import Defaults
    from flyllm.cli.batch.session import Session
    from flyllm.cli.batch.source import Reading
    from flyllm.observability.budget import Budget

    places = places_for(output, journal)
    _check_places(places, output, resume=resume, force=force)
    reading = Reading(file_format, column, id_column, Defaults(task, params_of(param)))
    options: dict[str, Any] = {
        "ordered": ordered,
        "journal": places.journal,
        "max_workers": max_workers,
        "window": window,
        "deadline": deadline,
        "max_failures": max_failures,
        "budget": Budget(budget_tokens, budget_cost),
    }
    shown = not places.on_terminal if progress is None else progress
    raise typer.Exit(Session(source, reading, config, places, resume, force, strict, shown, options).run())


def _check_places(places: Places, output: str | None, *, resume: bool, force: bool) -> None:
    if resume and force:
        raise typer.BadParameter("--resume and --force exclude each other")
    if resume and places.journal is None:
        raise typer.BadParameter("--resume needs the journal of a file: give --output FILE or --journal FILE")
    if output is None and places.on_terminal:
        raise typer.BadParameter("give --output FILE, or --output - to have the results printed here")

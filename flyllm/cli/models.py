"""`flyllm models`: what the configured keys can use."""

from typing import TYPE_CHECKING, Annotated

import typer

from flyllm.cli.options import Config, Json
from flyllm.cli.output import open_console, open_table

if TYPE_CHECKING:
    from rich.table import Table

    from flyllm.cli.model_lists import Offer

EPILOG = "\n\n".join(
    (
        "Examples:",
        "flyllm models",
        "flyllm models --instance main --json | jq -r '.models[].id'",
        "Exit codes: 0 all instances told; 1 an error that is told in one line; 2 wrong usage; 3 some instances could "
        "not tell; 4 none could; 130 Ctrl-C.",
    )
)


def models(
    config: Config = None,
    instance: Annotated[
        str | None, typer.Option(help="Only of the instance of this name or number.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the models that the configured keys can use."""
    # Here, because the other commands do without a manager.
    from flyllm.cli.configuration import configuration
    from flyllm.cli.exit_codes import code_of
    from flyllm.cli.model_lists import list_models
    from flyllm.cli.response_json import write_json

    lists = list_models(configuration(config), instance)
    if as_json:
        write_json(lists.as_json())
    else:
        open_console().print(_table(lists.offers))
    for name, error in lists.failures.items():
        typer.echo(f"flyllm: {name}: {type(error).__name__}: {' '.join(str(error).split())}", err=True)
    raise typer.Exit(code_of(lists.told, len(lists.failures)))


def _table(offers: "list[Offer]") -> "Table":
    table = open_table("provider", "model")
    table.add_column("context", justify="right")
    table.add_column("instances")
    for offer in offers:
        context = f"{offer.model.context_window:,}" if offer.model.context_window else "-"
        table.add_row(offer.model.provider, offer.model.id, context, ", ".join(offer.instances))
    return table

"""The command line of `flyllm init`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from typer import Option

from flyllm.cli.output import open_console
from flyllm.errors import ConfigError

if TYPE_CHECKING:
    from flyllm.cli.init.starters import Starter

EPILOG = "\n\n".join(
    (
        "Keys are looked for in the variables that the providers' own tools use, such as OPENAI_API_KEY. The file "
        "holds the names of the variables, never the keys.",
        "Exit codes: 0 written; 1 the file is there already or cannot be written; 2 wrong usage.",
    )
)


def init(
    path: Annotated[Path, Option(help="The file to write.")] = Path("flyllm.toml"),
    force: Annotated[bool, Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a first configuration for the keys found in the environment."""
    # Here, because the other commands do without them.
    from flyllm.cli.init.starters import starters
    from flyllm.cli.init.template import starter_file

    found = starters(os.environ)
    _write(path, starter_file(found), force=force)
    _print_next(open_console(), path, found)


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"'{path}' is there already\n  → Overwrite it with --force, or give another --path") from None
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be written: {error.strerror or error}") from error


def _print_next(console: Console, path: Path, starters: "list[Starter]") -> None:
    found = [starter for starter in starters if starter.found]
    option = "" if path == Path("flyllm.toml") else f" --config {path}"
    console.print(f"{path} is written.", style="bold green")
    if found:
        for starter in found:
            console.print(f"  {starter.provider}: {starter.model}, key from {starter.variable}")
    else:
        variables = ", ".join(starter.variable for starter in starters if starter.variable)
        console.print("No key was found, so it uses Ollama on this machine (http://localhost:11434), which needs none.")
        console.print(f"For another provider set one of {variables}, and run: flyllm init --force")
    console.print("Next:")
    console.print(f"  flyllm check --live{option}        asks each instance for one word", soft_wrap=True)
    console.print(f'  flyllm generate{option} "Hello"    sends a prompt', soft_wrap=True)

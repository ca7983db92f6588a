"""All commands in one typer application, and how it ends: exit codes and one-line errors.

A new command is one file, or a folder with a `command.py`, and one line at the end of this one.
"""

import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from flyllm._version import __version__
from flyllm.cli.batch import help as batch_help
from flyllm.cli.batch.command import batch
from flyllm.cli.check import command as checking
from flyllm.cli.demo.command import demo
from flyllm.cli.generate import command as generating
from flyllm.cli.init import command as beginning
from flyllm.cli.models import EPILOG as MODELS_EPILOG
from flyllm.cli.models import models
from flyllm.cli.schema import EPILOG as SCHEMA_EPILOG
from flyllm.cli.schema import schema
from flyllm.cli.simulate import simulate
from flyllm.errors import ConfigError, LLMError, MissingDependencyError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_DEBUG = "--debug"


def run(args: Sequence[str]) -> int:
    """Run the command that `args` name and return the exit code. `--debug` may stand anywhere."""
    _never_fail_to_print()
    debug = _DEBUG in args
    try:
        app([arg for arg in args if arg != _DEBUG], prog_name="flyllm")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except LLMError as error:
        if debug:
            traceback.print_exception(error)
        print(f"flyllm: {_described(error)}", file=sys.stderr)
        return 2 if isinstance(error, MissingDependencyError) else 1
    return 0


def _described(error: LLMError) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    place = f" at {error.instance}" if error.instance else ""
    return f"{type(error).__name__}{place}: {error}"


def _never_fail_to_print() -> None:
    """Print what the terminal's encoding does not have as "?": an answer may hold any character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"flyllm {__version__}")
        raise typer.Exit


@app.callback()
def _flyllm(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    """Many LLM requests to many providers: routed, retried, failed over, accounted for."""


# In the order of a first use.
app.command(epilog=beginning.EPILOG)(beginning.init)
app.command(epilog=checking.EPILOG)(checking.check)
app.command(epilog=generating.EPILOG)(generating.generate)
app.command(epilog=batch_help.EPILOG)(batch)
app.command(epilog=MODELS_EPILOG)(models)
app.command(epilog=SCHEMA_EPILOG)(schema)
app.command()(demo)
app.command()(simulate)

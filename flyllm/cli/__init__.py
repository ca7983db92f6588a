"""The `flyllm` command.

This file works without the `cli` extra: what is missing becomes one line that says what to install.
"""

import sys
from collections.abc import Sequence

_EXTRAS = {"typer": "cli", "rich": "cli", "h11": "testing"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, this process's where None, and return the exit code.

    0 success, 1 a failure that was reported in one line, 2 wrong usage or a missing package, 3 and 4 requests that were
    answered in part or not at all (`batch`, `check --live`, `models`), 130 Ctrl-C.
    """
    try:
        # Here, so that a missing typer can still be reported.
        from flyllm.cli.app import run

        return run(sys.argv[1:] if argv is None else argv)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
    extra = _EXTRAS[package]
    print(
        f"flyllm: this needs the package '{package}'. Install it with: pip install \"flyllm[{extra}]\"", file=sys.stderr
    )
    return 2

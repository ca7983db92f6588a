"""What a shell is offered for an option's value. Whatever is wrong with the configuration, nothing is said here."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import typer


def task_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the tasks of the configuration that the command line names so far."""
    path = context.params.get("config") or "flyllm.toml"
    try:
        # Not by the reader of configurations: where a variable is not set, the names are known all the same.
        tasks = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))["tasks"]
        names = [task["name"] for task in tasks]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str) and name.startswith(incomplete)]


def config_files(incomplete: str) -> list[str]:
    """Return the TOML files that `incomplete` may mean, and the folders on the way to others."""
    return sorted(_beginning_with(incomplete))


def _beginning_with(incomplete: str) -> Iterator[str]:
    folder, _, start = incomplete.rpartition("/")
    root = f"{folder}/" if "/" in incomplete else ""
    try:
        for path in Path(root or ".").iterdir():
            if path.name.startswith(start) and (start.startswith(".") or not path.name.startswith(".")):
                if path.is_dir():
                    yield f"{root}{path.name}/"
                elif path.suffix == ".toml":
                    yield f"{root}{path.name}"
    except OSError:
        return

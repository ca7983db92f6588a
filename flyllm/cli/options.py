"""Options that several commands have."""

import json
from pathlib import Path
from typing import Annotated, Any

from typer import BadParameter, Option

from flyllm.cli.completion import config_files, task_names

Config = Annotated[
    Path | None,
    Option(
        "--config",
        "-c",
        help="The providers, as TOML; ./flyllm.toml if not given.",
        show_default=False,
        autocompletion=config_files,
    ),
]
TaskName = Option(help="Only instances that serve this task.", show_default=False, autocompletion=task_names)
Json = Annotated[bool, Option("--json", help="Print JSON, for programs.")]


def params_of(given: list[str] | None) -> dict[str, Any] | None:
    """Return what `--param` says. Raises BadParameter."""
    params = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not name.strip() or not sign:
            raise BadParameter(f"--param takes NAME=VALUE, such as max_tokens=200, not '{text}'")
        params[name.strip()] = _value(value)
    return params or None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text

"""`flyllm schema`: the JSON Schema of the configuration file, for editors."""

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from flyllm.errors import ConfigError

EPILOG = "\n\n".join(
    (
        "An editor with TOML support (Taplo, Even Better TOML) then completes and checks the configuration:",
        "flyllm schema --output flyllm.schema.json",
        "with this as the first line of flyllm.toml:",
        "#:schema ./flyllm.schema.json",
        "Exit codes: 0 printed or written; 1 the file cannot be written; 2 wrong usage.",
    )
)


def schema(
    output: Annotated[Path | None, Option("--output", "-o", help="Write it to this file, not to stdout.")] = None,
) -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    # Here, because the other commands do without it.
    from flyllm.config.schema import json_schema

    text = json.dumps(json_schema(), indent=2) + "\n"
    if output is None:
        print(text, end="", flush=True)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"'{output}' cannot be written: {error.strerror or error}") from error

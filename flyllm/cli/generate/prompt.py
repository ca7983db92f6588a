"""The prompt: what the command line says, or what stdin brings."""

import sys

import typer

from flyllm.errors import ConfigError

STDIN = "-"


def prompt_of(given: str | None) -> str:
    """Return `given`, or stdin where it is None or "-". Raises BadParameter, and ConfigError where nothing comes."""
    if given is not None and given != STDIN:
        return given
    if given is None and sys.stdin.isatty():
        raise typer.BadParameter("give a PROMPT, or pipe one in; - reads it from the terminal until Ctrl-D")
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("The prompt on stdin is not UTF-8 text") from None
    if not text.strip():
        raise ConfigError("There is no prompt: stdin is empty")
    return text.removesuffix("\n").removesuffix("\r")

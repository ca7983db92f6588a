"""The ways in for a configuration that is written down: a TOML file, its text, or the same as a dict."""

import os
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flyllm.config.document import draft_from
from flyllm.config.environment import expand
from flyllm.config.fault import located
from flyllm.config.lines import lines_of
from flyllm.config.model import ManagerConfig
from flyllm.config.validate import validated
from flyllm.errors import ConfigError

_UNNAMED = "<string>"


def config_from_file(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> ManagerConfig:
    """Read a TOML file. Raises `ConfigError` with every fault, also when the file cannot be read."""
    try:
        text, reason = Path(path).read_text(encoding="utf-8-sig"), None  # editors on Windows write a BOM
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    except ValueError:
        reason = "it is not UTF-8 text"
    if reason is not None:
        raise ConfigError(f"Failed to read config file '{path}': {reason}")
    return config_from_toml(text, str(path), environ)


def config_from_toml(text: str, source: str = _UNNAMED, environ: Mapping[str, str] = os.environ) -> ManagerConfig:
    """Read TOML text. `source` names it in messages. Raises `ConfigError` with every fault."""
    title = "The configuration" if source == _UNNAMED else f"Config file '{source}'"
    document = _decoded(text, source)
    return _config_from(document, environ, title, partial(_located, text, "" if source == _UNNAMED else source))


def config_from_dict(document: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> ManagerConfig:
    """Read a dict of the same shape as the TOML file; `${VAR}` is filled in here too.

    Raises `ConfigError` with every fault.
    """
    return _config_from(document, environ, "The configuration")


def _decoded(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as exc:  # TOMLDecodeError, or a number too long for int()
        reason = str(exc)
    place = "" if source == _UNNAMED else f"\n  → In {source}"
    # Outside the handlers: a TOMLDecodeError may hold the whole text, keys included, and would be our __context__.
    raise ConfigError(f"Failed to parse TOML: {reason}{place}")


def _config_from(
    document: object, environ: Mapping[str, str], title: str, locate: Callable[[list[str]], list[str]] = list
) -> ManagerConfig:
    faults: list[str] = []
    draft = draft_from(expand(document, environ, faults), faults)
    return validated(draft, faults, title, locate)


def _located(text: str, source: str, faults: list[str]) -> list[str]:
    lines = lines_of(text)
    return [located(fault, source, lines) for fault in faults]
